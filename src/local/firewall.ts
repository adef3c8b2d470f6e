import {runProcess} from '../std/process.ts';
import type {Layout} from './layout.ts';
import {nodeIp} from './network.ts';

type Table = 'filter' | 'nat';

interface Rule {
  table: Table;
  match: string[];
}

/** Adds the host's rules for one cluster, each with the cluster's name as a comment, by which it is found again. */
export async function addRules(
  layout: Layout,
  options: {subnet: number; isolated: boolean; signal: AbortSignal},
): Promise<void> {
  for (const {table, match} of rulesOf(layout, options.subnet, options.isolated)) {
    const [chain = '', ...rest] = match;
    const comment = ['-m', 'comment', '--comment', layout.netns];
    const target = rest.splice(rest.indexOf('-j'));
    await runProcess('iptables', ['-w', '-t', table, '-I', chain, ...rest, ...comment, ...target], {
      signal: options.signal,
    });
  }
}

/** Removes all rules with the cluster's name, whatever they are: it needs no record of them. */
export async function removeRules(layout: Layout): Promise<void> {
  for (const table of ['filter', 'nat'] satisfies Table[]) {
    const {stdout} = await runProcess('iptables-save', ['-t', table], {okCodes: [1]});
    for (const rule of stdout.split('\n').filter(line => line.includes(`--comment ${layout.netns} `))) {
      const match = rule.split(' ').filter(word => word !== '');
      await runProcess('iptables', ['-w', '-t', table, '-D', ...match.slice(1)], {okCodes: [1, 2]});
    }
  }
}

/** Whether a rule of the cluster is still there. */
export async function hasRules(layout: Layout): Promise<boolean> {
  const {stdout} = await runProcess('iptables-save', [], {okCodes: [1]});
  return stdout.includes(`--comment ${layout.netns} `);
}

/** Inserted one after another at the top of a chain, so the last one here is looked at first. */
function rulesOf({hostLink}: Layout, subnet: number, isolated: boolean): Rule[] {
  const answers = ['-m', 'conntrack', '--ctstate', 'ESTABLISHED,RELATED'];
  if (isolated) {
    return [
      {table: 'filter', match: ['FORWARD', '-i', hostLink, '-j', 'DROP']},
      {table: 'filter', match: ['FORWARD', '-o', hostLink, '-j', 'DROP']},
      {table: 'filter', match: ['INPUT', '-i', hostLink, '-j', 'DROP']},
      {table: 'filter', match: ['INPUT', '-i', hostLink, ...answers, '-j', 'ACCEPT']},
    ];
  }
  const source = `${nodeIp(subnet)}/32`;
  return [
    {table: 'nat', match: ['POSTROUTING', '-s', source, '!', '-o', hostLink, '-j', 'MASQUERADE']},
    {table: 'filter', match: ['FORWARD', '-i', hostLink, '-j', 'ACCEPT']},
    {table: 'filter', match: ['FORWARD', '-o', hostLink, ...answers, '-j', 'ACCEPT']},
  ];
}
