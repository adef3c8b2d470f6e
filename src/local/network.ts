import {existsSync} from 'node:fs';
import {readdir, writeFile} from 'node:fs/promises';
import {PraError} from '../errors.ts';
import {runProcess} from '../std/process.ts';
import {addRules, removeRules} from './firewall.ts';
import {changeSetting} from './host.ts';
import type {Layout} from './layout.ts';

const LINK_PREFIX = '10.201';
const SUBNETS = 250;

export const hostIp = (subnet: number) => `${LINK_PREFIX}.${subnet}.1`;
export const nodeIp = (subnet: number) => `${LINK_PREFIX}.${subnet}.2`;

/**
 * A third octet for a link's addresses that no link and no route of this machine uses.
 * @throws PraError LOCAL_CLUSTER_FAILED when all are taken.
 */
export async function findFreeSubnet(signal: AbortSignal): Promise<number> {
  const [addresses, routes] = await Promise.all([
    runProcess('ip', ['-o', '-4', 'addr', 'show'], {signal}),
    runProcess('ip', ['-4', 'route', 'show', 'table', 'all'], {signal}),
  ]);
  const text = `${addresses.stdout}\n${routes.stdout}`;
  const used = new Set([...text.matchAll(/\b10\.201\.(\d+)\./g)].map(match => Number(match[1])));
  const free = Array.from({length: SUBNETS}, (_, index) => index + 1).find(subnet => !used.has(subnet));
  if (free !== undefined) return free;
  throw new PraError('LOCAL_CLUSTER_FAILED', 'no free subnet for another local cluster', {
    next: ['pra drill clean'],
  });
}

/**
 * A network namespace joined to the host by one veth pair. `isolated`: it gets no default route, and the host drops
 * every connection that comes from it, so that nothing inside, whatever its privileges, can undo the fence.
 */
export async function makeNetwork(
  layout: Layout,
  options: {subnet: number; isolated: boolean; signal: AbortSignal},
): Promise<void> {
  const {subnet, isolated, signal} = options;
  const ip = (...args: string[]) => runProcess('ip', args, {signal});
  const inside = (...args: string[]) =>
    runProcess('nsenter', [`--net=${layout.netnsPath}`, ...args], {signal});
  await ip('netns', 'add', layout.netns);
  await ip('link', 'add', layout.hostLink, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', layout.netns);
  await refuseIpv6(layout);
  await addRules(layout, options);
  await ip('addr', 'add', `${hostIp(subnet)}/30`, 'dev', layout.hostLink);
  await inside('ip', 'link', 'set', 'lo', 'up');
  await inside('ip', 'addr', 'add', `${nodeIp(subnet)}/30`, 'dev', 'eth0');
  await ip('link', 'set', layout.hostLink, 'up');
  await inside('ip', 'link', 'set', 'eth0', 'up');
  await inside('sysctl', '-qw', 'net.ipv4.ip_forward=1');
  if (isolated) return;
  await inside('ip', 'route', 'add', 'default', 'via', hostIp(subnet));
  await forwardOnHost(layout, signal);
}

/** The fence is of IPv4 rules; by IPv6 the link would have an address of its own that reaches the host. */
async function refuseIpv6(layout: Layout): Promise<void> {
  const setting = `/proc/sys/net/ipv6/conf/${layout.hostLink}/disable_ipv6`;
  if (existsSync(setting)) await writeFile(setting, '1');
}

/** The link, and the one by which answers come back, must pass packets on. Call it under the host lock. */
async function forwardOnHost(layout: Layout, signal: AbortSignal): Promise<void> {
  await writeFile(`/proc/sys/net/ipv4/conf/${layout.hostLink}/forwarding`, '1');
  const {stdout} = await runProcess('ip', ['-4', 'route', 'show', 'default'], {signal});
  for (const [, device] of stdout.matchAll(/\bdev (\S+)/g))
    changeSetting(`/proc/sys/net/ipv4/conf/${device}/forwarding`, '1');
}

/** Removes the link, the rules and the namespace; parts that are not there are no error. */
export async function removeNetwork(layout: Layout): Promise<void> {
  await removeRules(layout);
  if ((await entries('/sys/class/net')).includes(layout.hostLink))
    await runProcess('ip', ['link', 'del', layout.hostLink], {okCodes: [1]});
  if ((await entries('/run/netns')).includes(layout.netns))
    await runProcess('ip', ['netns', 'del', layout.netns], {okCodes: [1]});
}

const entries = (dir: string) => readdir(dir).catch((): string[] => []);
