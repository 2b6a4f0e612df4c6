#!/usr/bin/env node
// Judges Redocly Respect: a runner for `lanyard conformance --runner`, by the
// contract in ../README.md.
//
//   make test-clients    # installs the pinned @redocly/cli
//   lanyard conformance --runner "node $PWD/conformance/runners/respect.mjs"
//
// Respect also holds answers against the API description. Its checks of media
// type and schema are off: they fail steps that Arazzo calls a success. Its check
// of the status stands in for criteria where a step has none, and contradicts
// them where it has: it is on, as Respect has it, unless RESPECT_STATUS_CHECK=off.
// The command line does not tell workflow outputs, so none are reported here.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const cli = process.env.REDOCLY_CLI
  ?? fileURLToPath(new URL('../../.ci/clients/node_modules/@redocly/cli/bin/cli.js', import.meta.url));
const report = 'respect-report.json';
const checks = ['SCHEMA_CHECK=off', 'CONTENT_TYPE_CHECK=off'];
if (process.env.RESPECT_STATUS_CHECK === 'off') checks.push('STATUS_CODE_CHECK=off');

const given = JSON.parse(readFileSync(0, 'utf8'));
console.log(JSON.stringify(judgeable(run(given))));

// run starts Respect on one workflow of the document.
function run({ document, workflow, inputs }) {
  if (!existsSync(cli)) {
    throw new Error(`${cli} is missing; run make test-clients, or name another with REDOCLY_CLI`);
  }
  const args = [cli, 'respect', document, '--json-output', report, '--severity', checks.join(',')];
  const id = workflow ?? firstWorkflow(document);
  if (id) args.push('--workflow', id); // without one it runs them all
  if (inputs) args.push('--input', JSON.stringify(inputs));
  const ended = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    env: { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true', NO_COLOR: '1' },
  });
  return { file: readReport(), printed: ended.stdout + ended.stderr };
}

// firstWorkflow finds the id of the document's first workflow, in YAML or JSON,
// without a parser: the first workflowId behind the field workflows.
function firstWorkflow(document) {
  const [, workflows = ''] = readFileSync(document, 'utf8').split(/^\s*["']?workflows["']?\s*:/m);
  return workflows.match(/["']?workflowId["']?\s*:\s*["']?([^"'\s,}]+)/)?.[1];
}

function readReport() {
  if (!existsSync(report)) return undefined; // it was refused before it began
  return Object.values(JSON.parse(readFileSync(report, 'utf8')).files)[0];
}

// judgeable turns Respect's report into the contract's result.
function judgeable({ file, printed }) {
  if (!file || !file.executedWorkflows.some(sentSomething)) {
    const failed = !file || file.executedWorkflows.some((w) => w.status === 'error');
    return { status: failed ? 'refused' : 'succeeded', error: failed ? lastLines(printed) : undefined };
  }
  const failed = file.executedWorkflows.some((w) => w.status === 'error');
  return {
    status: failed ? 'failed' : 'succeeded',
    steps: file.executedWorkflows.flatMap(visits),
    error: failed ? lastLines(printed) : undefined,
  };
}

// sentSomething reports whether a request left in a workflow, a step, or what
// they ran.
function sentSomething(entry) {
  return entry.executedSteps?.some(sentSomething)
    || entry.response?.statusCode > 0
    || entry.checks?.some((c) => c.name === 'failed network request' || c.message?.includes('Dependent workflows'));
}

// visits lists step visits in the order in which they ended. Respect reports
// every attempt, and a sub-workflow under the name of the step that called it.
function visits(entry) {
  const out = [];
  let attempts = 0;
  entry.executedSteps.forEach((step, i, all) => {
    if (step.type === 'workflow') {
      out.push(...visits(step));
      if (step.invocationContext?.startsWith('Child workflow of step')) {
        out.push({ stepId: step.workflowId, status: status(step), attempts: 1 });
      }
      return;
    }
    attempts++;
    const next = all[i + 1];
    if (step.retriesLeft > 0 && next?.type === 'step' && next.stepId === step.stepId) return;
    out.push({ stepId: step.stepId, status: status(step), attempts });
    attempts = 0;
  });
  return out;
}

function status(entry) {
  return entry.status === 'error' ? 'failed' : 'succeeded';
}

// lastLines says what was printed last before the summary, without the frames
// and marks that are there for a terminal.
function lastLines(text) {
  const [before] = text.replace(/\x1b\[\d*m/g, '').split('Summary for');
  return before.split('\n').map((line) => line.trim())
    .filter((line) => line && !/^[║╔╚┌│├└─]/.test(line))
    .slice(-4).join('; ');
}
