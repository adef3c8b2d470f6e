import {readdir} from 'node:fs/promises';
import {runProcess} from '../std/process.ts';
import type {Layout} from './layout.ts';

const LINK_PREFIX = '10.201';

export const hostIp = (subnet: number) => `${LINK_PREFIX}.${subnet}.1`;
export const nodeIp = (subnet: number) => `${LINK_PREFIX}.${subnet}.2`;

/** The third octets that links of this machine use already. */
export async function usedSubnets(signal: AbortSignal): Promise<Set<number>> {
  const {stdout} = await runProcess('ip', ['-o', '-4', 'addr', 'show'], {signal});
  return new Set([...stdout.matchAll(/inet 10\.201\.(\d+)\./g)].map(match => Number(match[1])));
}

/**
 * A network namespace joined to the host by one veth pair. `isolated`: it gets no default route, and the host drops
 * every connection that comes from it, so that nothing inside, whatever its privileges, can undo the fence.
 */
export async function makeNetwork(
  layout: Layout,
  subnet: number,
  isolated: boolean,
  signal: AbortSignal,
): Promise<void> {
  const ip = (...args: string[]) => runProcess('ip', args, {signal});
  const inside = (...args: string[]) =>
    runProcess('nsenter', [`--net=${layout.netnsPath}`, 'ip', ...args], {signal});
  await ip('netns', 'add', layout.netns);
  await ip('link', 'add', layout.hostLink, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', layout.netns);
  await ip('addr', 'add', `${hostIp(subnet)}/30`, 'dev', layout.hostLink);
  await inside('link', 'set', 'lo', 'up');
  await inside('addr', 'add', `${nodeIp(subnet)}/30`, 'dev', 'eth0');
  for (const rule of rulesOf(layout, subnet, isolated))
    await runProcess('iptables', ['-w', ...rule.table, '-I', ...rule.match], {signal});
  await ip('link', 'set', layout.hostLink, 'up');
  await inside('link', 'set', 'eth0', 'up');
  await runProcess(
    'nsenter',
    [
      `--net=${layout.netnsPath}`,
      'sysctl',
      '-qw',
      'net.ipv4.ip_forward=1',
      'net.ipv4.conf.all.route_localnet=1',
    ],
    {signal},
  );
  if (!isolated) {
    await inside('route', 'add', 'default', 'via', hostIp(subnet));
    await runProcess('sysctl', ['-qw', `net.ipv4.conf.${layout.hostLink}.forwarding=1`], {signal});
  }
}

/** Removes the link, the rules and the namespace; parts that are not there are no error. */
export async function removeNetwork(layout: Layout, subnet: number, isolated: boolean): Promise<void> {
  for (const rule of rulesOf(layout, subnet, isolated)) {
    await runProcess('iptables', ['-w', ...rule.table, '-D', ...rule.match], {okCodes: [1, 2]});
  }
  const links = await readdir('/sys/class/net').catch((): string[] => []);
  if (links.includes(layout.hostLink))
    await runProcess('ip', ['link', 'del', layout.hostLink], {okCodes: [1]});
  const namespaces = await readdir('/var/run/netns').catch((): string[] => []);
  if (namespaces.includes(layout.netns)) await runProcess('ip', ['netns', 'del', layout.netns]);
}

interface Rule {
  table: string[];
  match: string[];
}

/** Inserted one after another at the top of a chain, so the last one here is looked at first. */
function rulesOf(layout: Layout, subnet: number, isolated: boolean): Rule[] {
  const comment = ['-m', 'comment', '--comment', layout.netns];
  const answers = ['-m', 'conntrack', '--ctstate', 'ESTABLISHED,RELATED'];
  if (!isolated) {
    return [
      {
        table: ['-t', 'nat'],
        match: [
          'POSTROUTING',
          '-s',
          `${nodeIp(subnet)}/32`,
          '!',
          '-o',
          layout.hostLink,
          ...comment,
          '-j',
          'MASQUERADE',
        ],
      },
      {table: [], match: ['FORWARD', '-i', layout.hostLink, ...comment, '-j', 'ACCEPT']},
      {table: [], match: ['FORWARD', '-o', layout.hostLink, ...answers, ...comment, '-j', 'ACCEPT']},
    ];
  }
  return [
    {table: [], match: ['FORWARD', '-i', layout.hostLink, ...comment, '-j', 'DROP']},
    {table: [], match: ['FORWARD', '-o', layout.hostLink, ...comment, '-j', 'DROP']},
    {table: [], match: ['INPUT', '-i', layout.hostLink, ...comment, '-j', 'DROP']},
    {table: [], match: ['INPUT', '-i', layout.hostLink, ...answers, ...comment, '-j', 'ACCEPT']},
  ];
}
