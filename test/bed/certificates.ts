import {mkdir, readFile, writeFile} from 'node:fs/promises';
import {join} from 'node:path';
import {runProcess} from '../../src/std/process.ts';

/** A certificate and its key, as files. */
export interface CertificateFiles {
  cert: string;
  key: string;
}

export interface CertificateRequest {
  /** File name without ending. */
  name: string;
  commonName: string;
  /** Kubernetes reads these as groups. */
  organizations?: readonly string[];
  /** `IP:127.0.0.1`, `DNS:localhost`. With them it is a server's certificate, else a client's. */
  subjectAltNames?: readonly string[];
}

/** A certificate authority in a folder, by openssl, for the TLS of real test servers. */
export interface TestAuthority {
  caFile: string;
  issue(request: CertificateRequest): Promise<CertificateFiles>;
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

/** Makes a certificate authority in `dir`. Everything it issues is valid for two days. */
export async function createAuthority(dir: string): Promise<TestAuthority> {
  await mkdir(dir, {recursive: true, mode: 0o700});
  const caFile = join(dir, 'ca.crt');
  const caKey = join(dir, 'ca.key');
  const subject = ['-subj', '/CN=pra test CA', '-days', '2'];
  await runProcess('openssl', ['req', '-x509', ...NEW_KEY, ...subject, '-keyout', caKey, '-out', caFile]);
  return {caFile, issue: request => issue(dir, {cert: caFile, key: caKey}, request)};
}

async function issue(
  dir: string,
  ca: CertificateFiles,
  request: CertificateRequest,
): Promise<CertificateFiles> {
  const cert = join(dir, `${request.name}.crt`);
  const key = join(dir, `${request.name}.key`);
  const signing = join(dir, `${request.name}.csr`);
  const extensions = join(dir, `${request.name}.ext`);
  const subject = `${(request.organizations ?? []).map(name => `/O=${name}`).join('')}/CN=${request.commonName}`;
  const names = request.subjectAltNames;
  const usage = `extendedKeyUsage=${names ? 'serverAuth' : 'clientAuth'}\n`;
  await writeFile(extensions, names ? `${usage}subjectAltName=${names.join(',')}\n` : usage);
  await runProcess('openssl', ['req', ...NEW_KEY, '-subj', subject, '-keyout', key, '-out', signing]);
  const signer = ['-CA', ca.cert, '-CAkey', ca.key, '-CAcreateserial', '-days', '2'];
  await runProcess('openssl', [
    'x509',
    '-req',
    '-in',
    signing,
    ...signer,
    '-extfile',
    extensions,
    '-out',
    cert,
  ]);
  return {cert, key};
}

/** The content of a PEM file as kubeconfigs embed it. */
export async function embedded(file: string): Promise<string> {
  return (await readFile(file)).toString('base64');
}
