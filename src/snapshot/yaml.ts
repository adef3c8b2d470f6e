import {stringify} from 'yaml';

/** An object as YAML that kubectl reads: long texts as blocks, nothing folded, no anchors. */
export function toYaml(value: unknown): string {
  return stringify(value, {lineWidth: 0, aliasDuplicateObjects: false, version: '1.1'});
}
