// Applies operations of SCIM's PATCH with somebody's code: {type, resource, op}
// as JSON per line on stdin, the resource that comes out per line on stdout, null
// when it refuses. script/clients starts it with the program's name and compares.
import { createInterface } from 'node:readline';

const message = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';

const programs = {
  'scim-patch': async () => {
    const { default: scimPatch } = await import('scim-patch');
    return ({ resource, op }) => {
      const body = { schemas: [message], Operations: [op] };
      scimPatch.patchBodyValidation(body);
      return scimPatch.scimPatch(resource, body.Operations, { mutateDocument: false, treatMissingAsAdd: false });
    };
  },
  scimmy: async () => {
    const { default: SCIMMY } = await import('scimmy');
    SCIMMY.Schemas.User.extend(SCIMMY.Schemas.EnterpriseUser);
    return async ({ type, resource, op }) => {
      const before = new SCIMMY.Schemas[type](resource);
      const patch = new SCIMMY.Messages.PatchOp({ schemas: [message], Operations: [op] });
      return (await patch.apply(before)) ?? before;
    };
  },
};

const apply = await programs[process.argv[2]]();
for await (const line of createInterface({ input: process.stdin })) {
  let outcome = null;
  try {
    outcome = await apply(JSON.parse(line));
  } catch {
    // It refuses.
  }
  console.log(JSON.stringify(outcome ?? null));
}
