import type {FollowEvent} from '../snapshot/follow.ts';
import {formatDuration} from '../std/duration.ts';

/** One line of `pra snapshot create --follow`. */
export function renderFollow(event: FollowEvent, at: Date): string {
  return `${at.toISOString().slice(0, 19)}Z  ${textOf(event)}`;
}

function textOf(event: FollowEvent): string {
  switch (event.type) {
    case 'whole':
      return `whole  ${event.root.id}  ${event.root.counts.objects} objects, ${event.root.volumes.length} volumes (${event.why})`;
    case 'cut':
      return `cut    ${event.root.id}  ${event.changes} changed, RPO ${formatDuration(event.rpoMs)}`;
    case 'idle':
      return `same   ${event.root.id}  nothing changed, RPO ${formatDuration(event.rpoMs)}`;
    case 'trouble':
      return `trouble: ${event.why}; not safe since ${formatDuration(event.unsavedMs)}`;
  }
}

/** The same for programs. */
export function summaryOfFollow(event: FollowEvent): Record<string, unknown> {
  const {type} = event;
  if (type === 'trouble') return {type, why: event.why, unsavedMs: event.unsavedMs};
  const {id, createdAt, counts, bytes} = event.root;
  const snapshot = {id, createdAt, objects: counts.objects, writtenBytes: bytes.written};
  if (type === 'whole') return {type, why: event.why, snapshot};
  return type === 'cut'
    ? {type, snapshot, changes: event.changes, rpoMs: event.rpoMs}
    : {type, snapshot, rpoMs: event.rpoMs};
}
