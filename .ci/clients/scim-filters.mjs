// Reads filters with somebody's parser of SCIM filters: a JSON string per line
// on stdin, the parser's tree per line on stdout, null when it refuses.
// script/clients starts it with the parser's name and compares the trees.
import { createInterface } from 'node:readline';

const parsers = {
  'scim2-parse-filter': async () => (await import('scim2-parse-filter')).parse,
  scimmy: async () => {
    const { default: SCIMMY } = await import('scimmy');
    return (text) => [...new SCIMMY.Types.Filter(text)];
  },
};

const parse = await parsers[process.argv[2]]();
for await (const line of createInterface({ input: process.stdin })) {
  let tree = null;
  try {
    tree = parse(JSON.parse(line));
  } catch {
    // It refuses.
  }
  console.log(JSON.stringify(tree));
}
