import type {OpenStoreOptions} from './open.ts';
import {isAws, regionOf} from './s3/endpoint.ts';

/** What somebody does with a repository: restore from it, add snapshots to it, remove what is no longer needed, move volumes. */
export const POLICY_ROLES = ['reader', 'writer', 'pruner', 'mover'] as const;
export type PolicyRole = (typeof POLICY_ROLES)[number];

type Condition = Record<string, Record<string, string | string[]>>;

interface Statement {
  Sid: string;
  Effect: 'Allow';
  Action: string[];
  Resource: string[];
  Condition?: Condition;
}

/** A policy document of AWS IAM, which other S3 servers read as well. */
export interface PolicyDocument {
  Version: '2012-10-17';
  Statement: Statement[];
}

/** What a pruner may delete. The key slots, `pra.json` and the evidence are not among it. */
const PRUNED = ['packs/*', 'trees/*', 'snapshots/*', 'tags/*', 'locks/*', 'pending/*', 'volumes/*'];
/**
 * Everybody who writes holds locks, those of restic among them, and notes that are of use until the end of the run. Whoever
 * fails to make the repository of the volumes has to let the next one do it.
 */
const LOCKS = ['locks/*', 'pending/*', 'volumes/locks/*', 'volumes/init'];

/**
 * The least that a role needs in a bucket, and nothing of what lies beside the repository.
 *
 * A writer cannot overwrite where the server is AWS: `s3:if-none-match` lets only writes through that fail when the key is
 * taken, as all of pra's are. restic writes without it, so under `volumes/` only versioning or Object Lock keeps the old.
 * No other server is known to have this condition (versitygw 1.8 refuses a policy with it), so it is left out for them.
 */
export function repositoryPolicy(
  role: PolicyRole,
  where: {bucket: string; prefix: string},
  options: OpenStoreOptions,
): PolicyDocument {
  const partition = partitionOf(regionOf(options));
  const bucket = `arn:${partition}:s3:::${where.bucket}`;
  const prefix = literal(where.prefix);
  const objects = (...names: string[]) => names.map(name => `${bucket}/${prefix}${name}`);
  if (role === 'mover') return moverPolicy(bucket, prefix, {partition, options});
  const statements: Statement[] = [
    {
      ...allow('ListRepository', ['s3:ListBucket'], [bucket]),
      ...(prefix === '' ? {} : {Condition: {StringLike: {'s3:prefix': [`${prefix}*`]}}}),
    },
    allow('ReadRepository', ['s3:GetObject'], objects('*')),
  ];
  if (role !== 'reader') {
    statements.push(
      ...additions(objects, isAws(options)),
      allow('AbortUploads', ['s3:AbortMultipartUpload'], objects('*')),
      allow('ReleaseLocks', ['s3:DeleteObject'], objects(...LOCKS)),
      ...retention(objects, options),
    );
  }
  if (role === 'pruner') statements.push(allow('Prune', ['s3:DeleteObject'], objects(...PRUNED)));
  statements.push(...keyUse(role, partition, options));
  return {Version: '2012-10-17', Statement: statements};
}

/** For restic in pods: the volumes and nothing else. It adds, reads, and deletes only its own locks. */
function moverPolicy(
  bucket: string,
  prefix: string,
  {partition, options}: {partition: string; options: OpenStoreOptions},
): PolicyDocument {
  const volumes = `${bucket}/${prefix}volumes/*`;
  const statements: Statement[] = [
    {
      ...allow('ListVolumes', ['s3:ListBucket'], [bucket]),
      Condition: {StringLike: {'s3:prefix': [`${prefix}volumes/*`]}},
    },
    allow('ReadVolumes', ['s3:GetObject'], [volumes]),
    allow('AddVolumes', ['s3:PutObject'], [volumes]),
    allow('AbortUploads', ['s3:AbortMultipartUpload'], [volumes]),
    allow('ReleaseLocks', ['s3:DeleteObject'], [`${bucket}/${prefix}volumes/locks/*`]),
    ...keyUse('mover', partition, options),
  ];
  return {Version: '2012-10-17', Statement: statements};
}

function additions(objects: (...names: string[]) => string[], conditional: boolean): Statement[] {
  if (!conditional) return [allow('Add', ['s3:PutObject'], objects('*'))];
  return [
    {
      ...allow('AddOnce', ['s3:PutObject'], objects('*')),
      Condition: {Null: {'s3:if-none-match': 'false'}},
    },
    {
      // Parts of an upload carry no condition; the request that makes an object of them does.
      ...allow('AddParts', ['s3:PutObject'], objects('*')),
      Condition: {Bool: {'s3:ObjectCreationOperation': 'false'}},
    },
    allow('AddVolumes', ['s3:PutObject'], objects('volumes/*')),
  ];
}

function retention(objects: (...names: string[]) => string[], options: OpenStoreOptions): Statement[] {
  if (!options.lock) return [];
  // Without a limit, who gets hold of a writer could lock a bucket full of objects for a century. One day for clocks.
  const limit: Condition = {
    NumericLessThanEqualsIfExists: {'s3:object-lock-remaining-retention-days': `${options.lock.days + 1}`},
  };
  return [
    {
      ...allow('LockObjects', ['s3:PutObjectRetention'], objects('*')),
      ...(isAws(options) ? {Condition: limit} : {}),
    },
    allow('ReadLocks', ['s3:GetObjectRetention'], objects('*')),
  ];
}

/** With SSE-KMS the caller needs the key as well as the object. */
function keyUse(role: PolicyRole, partition: string, options: OpenStoreOptions): Statement[] {
  const key = options.sse?.kmsKeyId;
  if (options.sse?.algorithm !== 'aws:kms' || key === undefined) return [];
  const actions = role === 'reader' ? ['kms:Decrypt'] : ['kms:Decrypt', 'kms:GenerateDataKey'];
  const alias = /(?:^|:)(alias\/.+)$/.exec(key)?.[1];
  if (alias !== undefined)
    return [
      {
        ...allow('UseKey', actions, [`arn:${partition}:kms:*:*:key/*`]),
        Condition: {'ForAnyValue:StringEquals': {'kms:ResourceAliases': [alias]}},
      },
    ];
  return [allow('UseKey', actions, [key.startsWith('arn:') ? key : `arn:${partition}:kms:*:*:key/${key}`])];
}

const allow = (Sid: string, Action: string[], Resource: string[]): Statement => ({
  Sid,
  Effect: 'Allow',
  Action,
  Resource,
});

function partitionOf(region: string): string {
  if (region.startsWith('cn-')) return 'aws-cn';
  return region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws';
}

/** As a policy writes a prefix whose signs are not wildcards. */
const literal = (prefix: string) => {
  const escaped = prefix.replace(/\/$/, '').replaceAll(/[*?$]/g, sign => `\${${sign}}`);
  return escaped === '' ? '' : `${escaped}/`;
};
