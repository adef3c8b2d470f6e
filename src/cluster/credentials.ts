import {Agent, type RequestOptions} from 'node:https';
import {createSecureContext} from 'node:tls';
import type {KubeConfig} from '@kubernetes/client-node';
import {messageOf, PraError, systemCodeOf} from '../errors.ts';

/** What a connection needs to be trusted on both sides. */
export interface Credentials {
  tls: TlsMaterial;
  /** Authorization and impersonation headers. Secret. */
  headers: Record<string, string>;
  /** Goes through the `proxy-url` of the kubeconfig, for what does not use the transport. */
  proxyAgent?: Agent;
}

export interface TlsMaterial {
  ca?: string | Buffer;
  cert?: string | Buffer;
  key?: string | Buffer;
  passphrase?: string;
  servername?: string;
}

/** Whether credentials come from a program or a login service, so that getting them may take time or fail. */
export function isDynamic(config: KubeConfig): boolean {
  const user = config.getCurrentUser();
  return Boolean(user?.exec || user?.authProvider);
}

/**
 * Reads the credentials of the current context: client certificate, token, or what its exec plugin or login service
 * gives. client-node keeps a plugin's answer until it expires.
 * @throws PraError KUBECONFIG_INVALID for unreadable files and broken certificates, CLUSTER_UNAUTHORIZED when the
 * plugin fails.
 */
export async function readCredentials(config: KubeConfig): Promise<Credentials> {
  const options: RequestOptions = {};
  try {
    await config.applyToHTTPSOptions(options);
  } catch (error) {
    throw isDynamic(config) ? pluginError(config, error) : fileError(config, error);
  }
  const tls = tlsOf(config, options);
  try {
    createSecureContext(tls);
  } catch (error) {
    throw fileError(config, error);
  }
  const {agent} = options;
  const proxied = config.getCurrentCluster()?.proxyUrl && agent instanceof Agent;
  return {tls, headers: headersOf(options), ...(proxied ? {proxyAgent: agent} : {})};
}

function tlsOf(config: KubeConfig, options: RequestOptions): TlsMaterial {
  const servername = options.servername ?? config.getCurrentCluster()?.tlsServerName;
  const pick = (value: unknown) => (typeof value === 'string' || Buffer.isBuffer(value) ? value : undefined);
  const [ca, cert, key] = [pick(options.ca), pick(options.cert), pick(options.key)];
  return {
    ...(ca === undefined ? {} : {ca}),
    ...(cert === undefined ? {} : {cert}),
    ...(key === undefined ? {} : {key}),
    ...(options.passphrase === undefined ? {} : {passphrase: options.passphrase}),
    ...(servername ? {servername} : {}),
  };
}

function headersOf(options: RequestOptions): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(options.headers ?? {})) {
    if (typeof value === 'string') headers[name.toLowerCase()] = value;
  }
  if (options.auth) headers.authorization = `Basic ${Buffer.from(options.auth).toString('base64')}`;
  return headers;
}

function pluginError(config: KubeConfig, error: unknown): PraError {
  const command = config.getCurrentUser()?.exec?.command;
  const name =
    typeof command === 'string' ? `credential plugin ${command}` : 'login service of the kubeconfig';
  const absent = systemCodeOf(error) === 'ENOENT';
  return new PraError('CLUSTER_UNAUTHORIZED', `the ${name} gave no credentials`, {
    why: absent
      ? 'it is not installed, or not in PATH'
      : messageOf(error).trim().split('\n').slice(-3).join('\n'),
    next: [absent ? `install ${command}` : 'log in again, then: kubectl auth whoami'],
  });
}

function fileError(config: KubeConfig, error: unknown): PraError {
  return new PraError(
    'KUBECONFIG_INVALID',
    `the certificates of context "${config.currentContext}" cannot be used`,
    {why: messageOf(error), next: ['get a fresh kubeconfig']},
  );
}
