import {cssVariables, DARK, LIGHT} from './palette.ts';

const BASE = `
*{box-sizing:border-box}
html{color-scheme:light dark;-webkit-text-size-adjust:100%;scroll-padding-top:1rem}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;overflow-wrap:anywhere}
.wrap{max-width:1120px;margin:0 auto;padding:0 24px}
code,pre{font:0.92em/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace}
pre{margin:.4em 0;padding:10px 12px;background:var(--calm-tint);border-radius:6px;white-space:pre-wrap}
a{color:var(--path)}
a:focus-visible,summary:focus-visible{outline:2px solid var(--path);outline-offset:2px;border-radius:3px}
small{display:block;color:var(--soft);font-size:13px}
p{margin:.5em 0}
h2{font-size:19px;line-height:1.3;margin:0 0 14px;font-weight:650;letter-spacing:-.01em}
.none{color:var(--soft)}
.hidden,.skip:not(:focus),details>table>caption{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
.skip:focus{position:absolute;left:24px;top:8px;background:var(--card);padding:6px 12px;z-index:1}
.good{color:var(--good)}.bad{color:var(--bad)}.warn{color:var(--warn)}.calm{color:var(--calm)}
.icon{width:1.25em;height:1.25em;vertical-align:-.27em;fill:none;stroke:currentColor;stroke-width:2;stroke-linecap:round;stroke-linejoin:round;flex:none}
.badge{font-weight:600;white-space:nowrap}
.badge .icon{margin-right:.3em}
`;

const FIRST_SCREEN = `
.verdict{padding:26px 0 24px;border-bottom:1px solid var(--rule)}
.verdict.good{background:var(--good-tint)}.verdict.bad{background:var(--bad-tint)}.verdict.warn{background:var(--warn-tint)}.verdict.calm{background:var(--calm-tint)}
.verdict p,.verdict ul{color:var(--ink)}
.eyebrow{margin:0;font-size:14px}
h1{display:flex;align-items:center;gap:14px;margin:4px 0 6px;font-size:44px;line-height:1.12;font-weight:700;letter-spacing:-.025em}
h1 .icon{width:46px;height:46px;stroke-width:1.9}
.summary{font-size:17px;margin:0}
.scenario{margin:6px 0 0}
.scenario b{font-weight:600;margin-right:.4em}
.causes{list-style:none;margin:14px 0 0;padding:12px 0 0;border-top:1px solid var(--rule)}
.causes li{margin:3px 0;display:flex;gap:.4em}
.causes .badge{flex:0 0 6.8em}
.gauges{display:grid;grid-template-columns:1fr 1fr;gap:16px;margin:20px 0 16px}
.gauge{background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:16px 20px 14px}
.gauge h2{font-size:14px;margin:0;letter-spacing:0}
.gauge h2 abbr{text-decoration:none}
.gauge h2 span{font-weight:400;color:var(--soft);margin-left:.4em}
.figure{font-size:36px;line-height:1.25;font-weight:650;letter-spacing:-.02em;margin:0;font-variant-numeric:tabular-nums}
.figure.none{font-weight:500;font-size:28px}
.judged{margin:0 0 6px}
.note{margin:4px 0 0;color:var(--soft);font-size:13px}
.meter{display:block;width:100%}
.rail{fill:var(--calm-tint)}.used{fill:var(--good)}.allowed{fill:var(--bar)}.excess{fill:var(--bad)}
.limit{stroke:var(--ink);stroke-width:2}
.facts{display:grid;grid-template-columns:repeat(3,1fr);gap:14px 28px;margin:0 0 8px;padding:4px 0}
.facts dt,.pairs dt,.findings dt{color:var(--soft);font-size:13px}
.facts dd{margin:0;font-weight:600}
.facts small{font-weight:400}
.facts code{font-weight:400}
nav{margin-top:14px}
nav ul{display:flex;flex-wrap:wrap;gap:4px 18px;list-style:none;margin:0;padding:10px 0 0;border-top:1px solid var(--rule);font-size:14px}
`;

const SECTIONS = `
main>section{background:var(--card);border:1px solid var(--rule);border-radius:10px;padding:20px 24px 22px;margin:16px 0}
.lead{margin:0 0 10px}
ul,ol{padding-left:1.3em}
main ul{margin:.4em 0 1em}
.refs{margin:0;padding:0;list-style:none}
.pairs{display:grid;grid-template-columns:minmax(9em,max-content) 1fr;gap:4px 20px;margin:0}
.pairs dd{margin:0;min-width:0}
.findings{list-style:none;margin:0;padding:0}
.findings>li{border-left:4px solid currentColor;padding:2px 0 2px 16px;margin:0 0 18px}
.findings>li:last-child{margin-bottom:0}
.findings h3{margin:0 0 6px;font-size:16px;color:var(--ink)}
.findings h3 .badge{margin-right:.5em}
.findings dl{display:grid;grid-template-columns:4.5em 1fr;gap:2px 12px;margin:0;color:var(--ink)}
.findings dt{padding-top:1px}
.findings dd{margin:0;min-width:0}
.findings dd b{font-weight:600}
footer{color:var(--soft);font-size:13px;padding-top:4px;padding-bottom:32px}
table{border-collapse:collapse;width:100%;margin:0 0 18px}
table:last-child{margin-bottom:0}
caption{text-align:left;font-weight:600;padding:0 0 6px}
th,td{text-align:left;vertical-align:top;padding:7px 16px 7px 0;border-bottom:1px solid var(--rule)}
th:last-child,td:last-child{padding-right:0}
thead th{font-size:13px;font-weight:500;color:var(--soft);padding-top:2px;vertical-align:bottom}
tbody th,tfoot th{font-weight:500}
tbody tr:last-child>*{border-bottom:0}
.num{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
td.num>div{min-width:3.2em}
.no{display:inline-block;min-width:1.5em;color:var(--soft);font-variant-numeric:tabular-nums}
@media (min-width:861px){.whole{white-space:nowrap}}
details{margin:0 0 14px}
details:last-child{margin-bottom:0}
summary{cursor:pointer;font-weight:600;padding:6px 0;color:var(--path)}
details>table{margin-top:6px}
`;

const PICTURE = `
.marks{display:grid;grid-template-columns:repeat(6,1fr);list-style:none;margin:0 0 20px;padding:0;border-top:3px solid var(--bar)}
.marks li{padding:8px 12px 0 0;position:relative}
.marks li::before{content:"";position:absolute;left:0;top:-8px;width:9px;height:9px;border:2px solid var(--card);border-radius:50%;background:var(--ink)}
.marks li.missing::before{background:var(--card);border-color:var(--bar)}
.marks li.compared::before{background:var(--path)}
.marks span{display:block;font-size:13px}
.marks strong{display:block;font-size:18px;font-weight:650;font-variant-numeric:tabular-nums}
.gantt{table-layout:fixed}
.gantt caption{font-weight:400;color:var(--soft);padding-bottom:10px}
.key{display:inline-block;margin-right:14px}
.key svg{vertical-align:-1px}
.gantt th,.gantt td{border-bottom:0;padding-top:3px;padding-bottom:3px;line-height:1.4}
.gantt tr>:first-child{width:34%}
.gantt tr>:last-child{width:70px}
.gantt thead>tr>*{border-bottom:1px solid var(--rule)}
.gantt .axis{padding:0}
.gantt .axis svg{display:block;width:100%;overflow:visible}
.gantt .track{position:relative;padding:0}
.gantt .track svg{position:absolute;inset:0;width:100%;height:100%;overflow:visible}
.gantt .phase th{padding-top:10px;font-weight:650}
.gantt .step th{font-weight:400;padding-left:14px}
.gantt .critical .name,.gantt .critical .num{font-weight:650}
.gantt small{color:var(--ink)}
.aside{color:var(--soft);font-size:13px}
.bar{fill:var(--bar)}
.bar.critical{fill:var(--path)}
.bar.failed{fill:var(--bad)}
.bar.error{fill:var(--warn)}
.link{stroke:var(--path);stroke-width:1.5}
.slack{stroke:var(--bar);stroke-width:2;stroke-dasharray:2 3}
.grid{stroke:var(--rule);stroke-width:1}
.mark{stroke:var(--soft);stroke-width:1;stroke-dasharray:3 3}
.objective{stroke:var(--bad);stroke-width:2}
.mark-label{font-size:13px;font-weight:650;fill:var(--ink)}
.objective-label{font-size:13px;font-weight:650;fill:var(--bad)}
.tick{font-size:12px;fill:var(--soft);font-weight:400}
`;

const NARROW = `
@media (max-width:860px){.facts{grid-template-columns:1fr 1fr}.marks{grid-template-columns:repeat(3,1fr);row-gap:14px}}
@media (max-width:640px){
.wrap{padding:0 16px}
h1{font-size:34px;gap:10px}h1 .icon{width:36px;height:36px}
.gauges,.facts,.pairs{grid-template-columns:1fr}
.pairs dd{margin-bottom:8px}
.facts{gap:10px}
main>section{padding:16px;border-radius:8px}
.marks{grid-template-columns:1fr;border-top:0;border-left:3px solid var(--bar);row-gap:10px}
.marks li{padding:0 0 0 14px}.marks li::before{left:-8px;top:6px}
.marks span{display:inline}
table.stack,.stack tbody,.stack tfoot,.stack tr,.stack th,.stack td,.stack caption{display:block}
.stack thead{display:none}
.stack tr{border-bottom:1px solid var(--rule);padding:8px 0}
.stack tbody tr:last-child{border-bottom:0}
.stack th,.stack td{border:0;padding:1px 0;text-align:left;white-space:normal}
.stack td{display:flex;gap:10px}
.stack td>div{min-width:0;flex:1}
.stack td::before{content:attr(data-label);flex:0 0 6.2em;color:var(--soft);font-size:13px}
.gantt,.gantt tbody,.gantt thead,.gantt caption{display:block}
.gantt tr{display:grid;grid-template-columns:1fr auto}
.gantt tr>:first-child,.gantt tr>:last-child{width:auto}
.gantt .track{grid-row:2;grid-column:1/-1;min-height:18px}
.gantt .axis{grid-column:1/-1}
.gantt thead th:not(.axis){display:none}
.gantt .phase>:not(th),.gantt .link{display:none}
.gantt .step th{padding-left:0}
}
`;

/** Paper is always light, shows what is folded, and breaks between rows rather than through them. */
const PRINT = `
@page{size:A4;margin:15mm 14mm}
@media print{
html{color-scheme:light}
body{background:#fff;font-size:9.5pt;-webkit-print-color-adjust:exact;print-color-adjust:exact}
.wrap{max-width:none;padding:0}
nav,.skip{display:none}
.verdict{padding:14px 18px;border:1px solid var(--rule);border-radius:8px}
h1{font-size:27pt}h1 .icon{width:28pt;height:28pt}
h2{break-after:avoid;font-size:13pt;margin-bottom:8px}
.gauges{margin:12px 0}
.figure{font-size:22pt}
.facts{grid-template-columns:repeat(3,1fr)}
.marks{grid-template-columns:repeat(6,1fr)}
main>section{border:0;border-radius:0;padding:0;margin:20px 0 0}
main>section+section{border-top:1px solid var(--rule);padding-top:14px}
small,.note,thead th,.facts dt,.pairs dt,.findings dt,.marks span{font-size:8.2pt}
caption{break-after:avoid}
thead{display:table-header-group}tfoot{display:table-row-group}
footer{font-size:8.2pt}
.gantt .phase{break-after:avoid}
tr,.findings>li,.gauge,.marks,.facts>div,pre{break-inside:avoid}
th,td{padding-top:4px;padding-bottom:4px}
details::details-content{content-visibility:visible;display:block}
summary{list-style:none;color:var(--ink)}
a{color:inherit;text-decoration:none}
}
`;

/** The one style sheet of the report. Dark applies to screens only. */
export const STYLE = `:root{${cssVariables(LIGHT)}}
@media screen and (prefers-color-scheme:dark){:root{${cssVariables(DARK)}}}
${BASE}${FIRST_SCREEN}${SECTIONS}${PICTURE}${NARROW}${PRINT}`;
