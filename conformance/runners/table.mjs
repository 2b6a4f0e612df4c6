#!/usr/bin/env node
// Prints the table of README.md: per clause, how many cases ours and another
// runner pass.
//
//   lanyard conformance -o json > ours.json
//   lanyard conformance -o json --runner "node $PWD/conformance/runners/respect.mjs" > theirs.json
//   node conformance/runners/table.mjs ours.json theirs.json
//
// Further files are parts of the other runner's result, judged with --only, or
// results under other settings: a case that passes in any of them has passed.
// Cases that are about Lanyard alone are left out of the other runner's column.
import { readFileSync } from 'node:fs';

const [oursFile, ...theirFiles] = process.argv.slice(2);
const cases = new URL('../cases/', import.meta.url);
const ours = read(oursFile);
const theirs = best(theirFiles.flatMap(read));

function read(file) {
  return JSON.parse(readFileSync(file, 'utf8')).cases;
}

// best keeps one judgement of each case.
function best(list) {
  const found = new Map();
  for (const c of list) {
    if (!found.get(c.id)?.passed) found.set(c.id, c);
  }
  return [...found.values()];
}

// own says why a case is about Lanyard alone; undefined when it is for everyone.
function own({ id }) {
  const text = readFileSync(new URL(`${id}.yaml`, cases), 'utf8');
  if (/^dialect: compat/m.test(text)) return 'compat dialect';
  if (/^profile:/m.test(text)) return 'profile switches';
  if (/^  status: held/m.test(text)) return 'held';
  return undefined;
}

const left = {};
const judged = theirs.filter((c) => {
  const why = own(c);
  if (why) left[why] = (left[why] ?? 0) + 1;
  return !why;
});

function count(list) {
  const counts = new Map();
  for (const c of list) {
    for (const clause of c.clauses) {
      const n = counts.get(clause) ?? { passed: 0, all: 0 };
      n.all++;
      if (c.passed) n.passed++;
      counts.set(clause, n);
    }
  }
  return counts;
}

const score = (n) => (n ? `${n.passed}/${n.all}` : '–');
const mine = count(ours);
const other = count(judged);
// N before A, each by number.
const clauses = [...mine.keys()].sort((a, b) =>
  (a[0] === b[0] ? a.slice(1) - b.slice(1) : b.localeCompare(a)));

const columns = 4; // clauses side by side
const cell = (c) => (c ? `${c} | ${score(mine.get(c))} | ${score(other.get(c))}` : ' | | ');
const height = Math.ceil(clauses.length / columns);
console.log('|' + ' clause | ours | other |'.repeat(columns));
console.log('|' + '---|---|---|'.repeat(columns));
for (let row = 0; row < height; row++) {
  const cells = [];
  for (let column = 0; column < columns; column++) cells.push(cell(clauses[column * height + row]));
  console.log(`| ${cells.join(' | ')} |`);
}
const passed = (list) => list.filter((c) => c.passed).length;
console.log(`\nours: ${passed(ours)} of ${ours.length}; other: ${passed(judged)} of ${judged.length}; left out:`, left);
