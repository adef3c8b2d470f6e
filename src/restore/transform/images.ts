import type {KubeObject} from '../../cluster/object.ts';
import {podSpecIn, withPodSpec} from '../../snapshot/pod-spec.ts';
import type {Json, JsonObject} from '../../std/json.ts';
import {arrayAt, isJsonObject, stringAt, withAt} from '../../std/json-at.ts';
import {type Action, Replacements} from './action.ts';

const CONTAINERS = ['initContainers', 'containers', 'ephemeralContainers'];

/**
 * Names images by another registry or path. A key is the beginning of an image up to a slash, a tag or a digest; the
 * longest that fits counts. `docker.io` and `docker.io/library` also stand for images that name no registry.
 */
export const images: Action<'images'> = (object, map) => {
  const spec = podSpecIn(object);
  if (!spec) return undefined;
  const made = new Replacements();
  const rename = (image: string) => {
    const renamed = mapImage(image, map);
    if (renamed !== image) made.note(image, renamed);
    return renamed;
  };
  const changed: JsonObject = {...spec};
  for (const list of CONTAINERS)
    if (Array.isArray(spec[list]))
      changed[list] = arrayAt(spec, list).map(entry => renamed(entry, ['image'], rename));
  const volumes = arrayAt(changed, 'volumes').map(entry => renamed(entry, ['image', 'reference'], rename));
  if (!made.any) return undefined;
  const whole: KubeObject = withPodSpec(object, volumes.length > 0 ? {...changed, volumes} : changed);
  return {object: whole, path: 'image', what: made.toString()};
};

function renamed(entry: Json, path: readonly string[], rename: (image: string) => string): Json {
  const image = stringAt(entry, ...path);
  return image === undefined || !isJsonObject(entry) ? entry : withAt(entry, path, rename(image));
}

const DOCKER_HUB = 'docker.io/';

/** The name of an image in the target. */
export function mapImage(image: string, map: Readonly<Record<string, string>>): string {
  const keys = Object.keys(map).sort((a, b) => b.length - a.length);
  for (const name of spellings(image)) {
    const key = keys.find(candidate => startsWithPart(name, candidate));
    const to = key === undefined ? undefined : map[key];
    if (key === undefined || to === undefined) continue;
    // Its new name begins like the old one: once is enough.
    if (startsWithPart(to, key) && startsWithPart(name, to)) return image;
    return `${to.replace(/\/$/, '')}${name.slice(key.replace(/\/$/, '').length)}`;
  }
  return image;
}

/** An image as it is written, and as the registry knows it. */
function spellings(image: string): string[] {
  const [first = '', ...rest] = image.split('/');
  const hasRegistry = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost');
  if (hasRegistry) return [image];
  return rest.length > 0 ? [image, DOCKER_HUB + image] : [image, `${DOCKER_HUB}library/${image}`];
}

/** Whether a name begins with a part of it that ends where a part ends. */
function startsWithPart(name: string, part: string): boolean {
  const bare = part.replace(/\/$/, '');
  return bare !== '' && name.startsWith(bare) && /^($|[/:@])/.test(name.slice(bare.length));
}
