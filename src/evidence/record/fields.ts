import {z} from 'zod';
import type {Json} from '../../std/json.ts';

/** The kinds of value that the record is made of; each carries its unit or format. */

/** ISO 8601 in UTC, as Date.toISOString writes it. */
export const isoTime = z.iso.datetime();
/** A duration in milliseconds. */
export const ms = z.number().min(0);
/** A size in bytes. */
export const bytes = z.int().min(0);
/** How many. */
export const count = z.int().min(0);
/** Lower-case hex SHA-256. */
export const digest = z.string().regex(/^[0-9a-f]{64}$/, 'must be a SHA-256 in lower-case hex');
/** Any JSON value: what a probe expected or saw. */
export const json: z.ZodType<Json> = z.json();
/** An object as people name it: "apps/Deployment shop/web". */
export const objectReference = z.string().min(1);
