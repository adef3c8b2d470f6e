/** Characters that XML 1.0 forbids, so that neither format can be broken by what a cluster answers. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what has to be found
const FORBIDDEN = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u0084\u0086-\u009f\ufffe\uffff]/g;
/** Marks that turn the direction of text around and so make it read as something else. */
const DIRECTION = /[\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]/g;

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/**
 * Text made safe for content and quoted attributes of HTML and XML: markup is escaped, characters that may not
 * appear become U+FFFD, and direction marks are spelled out.
 */
export function escapeMarkup(text: string): string {
  return text
    .toWellFormed()
    .replace(FORBIDDEN, '\ufffd')
    .replace(DIRECTION, mark => `[U+${mark.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}]`)
    .replace(/[&<>"']/g, character => ENTITIES[character] ?? '');
}
