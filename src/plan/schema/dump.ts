import {z} from 'zod';
import {command, evenIfWrong, form} from './field.ts';

/** Databases whose commands pra knows; src/volume/preset has them. */
export const PRESETS = ['postgresql', 'mysql', 'mariadb', 'mongodb', 'redis'] as const;

const OPTIONS = ['database', 'user', 'passwordEnv', 'passwordFile', 'port'] as const;

const NUL = String.fromCharCode(0);
/** A text that can be an argument of a program. */
const argument = z
  .string()
  .min(1)
  .refine(text => !text.includes(NUL), {error: 'must not contain NUL'});

/** How a dump is taken and brought back: by a preset, or by commands. */
export const dump = z
  .strictObject({
    container: z
      .string()
      .optional()
      .describe('Container in which the commands run; the first one by default'),
    preset: z
      .enum(PRESETS)
      .optional()
      .describe('A database whose commands pra knows, instead of `command` and `restore`'),
    database: argument
      .refine(text => !text.startsWith('-'), {error: 'must not begin with a dash'})
      .optional()
      .describe('For a preset: the one database that is saved; all of them by default'),
    user: argument
      .optional()
      .describe('For a preset: who asks the database; by default whom the image made its administrator'),
    passwordEnv: form(
      /^[A-Za-z_][A-Za-z0-9_]*$/,
      'variable',
      'must be the name of a variable of the container, and not the password itself',
      ['DB_PASSWORD'],
    )
      .optional()
      .describe(
        'For a preset: variable of the container that holds the password; by default that of the image',
      ),
    passwordFile: form(/^\/[^\0\n]+$/, 'path', 'must be the whole path of a file in the container', [
      '/run/secrets/db',
    ])
      .optional()
      .describe('For a preset: file in the container that holds the password'),
    port: z
      .int()
      .min(1)
      .max(65_535)
      .optional()
      .describe('For a preset: port of the server in its pod; the usual one by default'),
    command: command.optional().describe('Writes the dump to its stdout'),
    restore: command
      .optional()
      .describe('Reads the dump from its stdin; must fail when the dump is not whole'),
  })
  .superRefine((value, context) => {
    const refuse = (field: string, message: string) =>
      context.addIssue({code: 'custom', message, path: [field]});
    if (value.preset === undefined) {
      for (const option of OPTIONS)
        if (value[option] !== undefined) refuse(option, `\`${option}\` is only for a \`preset\``);
      return;
    }
    for (const field of ['command', 'restore'] as const)
      if (value[field] !== undefined) refuse(field, `preset ${value.preset} brings its own \`${field}\``);
    if (value.passwordEnv !== undefined && value.passwordFile !== undefined)
      refuse('passwordFile', 'the password is either in a variable or in a file');
    if (value.preset === 'redis' && value.database !== undefined)
      refuse('database', 'preset redis saves all databases of the server at once');
  })
  .refine(
    ({preset, command, restore}) => preset !== undefined || (command !== undefined && restore !== undefined),
    {...evenIfWrong, error: 'needs either a `preset`, or a `command` and its `restore`'},
  );
