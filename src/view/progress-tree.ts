import {
  type DefaultRenderer,
  Listr,
  ListrLogger,
  type ListrTask,
  ProcessOutput,
  type SimpleRenderer,
} from 'listr2';
import type {DrillEvent, StepIdentity} from '../drill/event.ts';
import {formatDuration} from '../std/duration.ts';
import type {ProgressView} from './progress.ts';

type Ended = Extract<DrillEvent, {type: 'step-ended'}>;
type TreeTask = ListrTask<unknown, typeof DefaultRenderer, typeof SimpleRenderer>;
type Wrapper = Parameters<TreeTask['task']>[1];

interface Row {
  started: PromiseWithResolvers<void>;
  ended: PromiseWithResolvers<Ended>;
  show: Wrapper | undefined;
}

/**
 * The steps of a run as a listr2 tree with live times. listr2 draws on stderr, because stdout is for results, and
 * leaves signals alone, because Ctrl-C must end a run in order.
 */
export function listrProgress(): ProgressView {
  const rows = new Map<string, Row>();
  let drawing: Promise<unknown> = Promise.resolve();
  const listener = (event: DrillEvent) => {
    switch (event.type) {
      case 'run-started':
        for (const step of event.steps)
          rows.set(step.id, {
            started: Promise.withResolvers(),
            ended: Promise.withResolvers(),
            show: undefined,
          });
        drawing = draw(event.steps, rows);
        break;
      case 'step-started':
        rows.get(event.id)?.started.resolve();
        break;
      case 'step-progress': {
        const show = rows.get(event.id)?.show;
        if (show) show.output = event.message;
        break;
      }
      case 'step-ended':
        rows.get(event.id)?.started.resolve();
        rows.get(event.id)?.ended.resolve(event);
        break;
      case 'mark':
      case 'run-ended':
        break;
    }
  };
  return {
    listener,
    end: async () => {
      await drawing.catch(() => undefined);
    },
  };
}

async function draw(steps: readonly StepIdentity[], rows: ReadonlyMap<string, Row>): Promise<void> {
  const tasks = steps.flatMap(step => {
    const row = rows.get(step.id);
    return row ? [taskOf(step, row)] : [];
  });
  await new Listr(tasks, {
    concurrent: true,
    exitOnError: false,
    registerSignalListeners: false,
    // A person watches stderr, wherever stdout goes.
    fallbackRendererCondition: () => false,
    rendererOptions: {
      collapseErrors: false,
      showErrorMessage: false,
      logger: new ListrLogger({
        useIcons: true,
        toStderr: [],
        processOutput: new ProcessOutput(process.stderr, process.stderr),
      }),
    },
  }).run();
}

function taskOf(step: StepIdentity, row: Row): TreeTask {
  return {
    title: `${step.name} · waiting`,
    task: async (_context, task) => {
      row.show = task;
      await row.started.promise;
      task.title = step.name;
      const event = await row.ended.promise;
      task.output = '';
      const message = event.message ? `: ${event.message.split('\n', 1)[0]}` : '';
      if (event.result === 'skipped') return task.skip(`${step.name} — skipped${message}`);
      task.title = `${step.name} (${formatDuration(event.durationMs)})${message}`;
      if (event.result !== 'passed') throw new Error(task.title);
      return undefined;
    },
  };
}
