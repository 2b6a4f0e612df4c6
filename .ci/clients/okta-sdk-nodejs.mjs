// Signs in with a key by Okta's SDK for Node and changes people and groups with
// the token. script/clients starts it and says which org and which app;
// WANT_TOKEN_TYPE says which kind of token the app is to get: Bearer or DPoP.
import assert from 'node:assert/strict';

import okta from '@okta/okta-sdk-nodejs';

const {
  OKTA_CLIENT_ORGURL: orgUrl,
  OKTA_CLIENT_CLIENTID: clientId,
  OKTA_CLIENT_PRIVATEKEY: privateKey,
  OKTA_CLIENT_PRIVATEKEYID: keyId,
  WANT_TOKEN_TYPE: kind,
} = process.env;
assert.ok(kind === 'Bearer' || kind === 'DPoP', `WANT_TOKEN_TYPE is ${kind}, not Bearer or DPoP`);

// newClient makes a client and counts with which kind of token it calls the API.
function newClient(scopes) {
  const client = new okta.Client({ orgUrl, authorizationMode: 'PrivateKey', clientId, scopes, privateKey, keyId });
  const seen = new Map();
  client.requestExecutor.on('request', ({ url, headers }) => {
    if (!new URL(url).pathname.startsWith('/api/')) return;
    let scheme = (headers.Authorization ?? 'none').split(' ')[0];
    if (scheme === 'DPoP' && !headers.DPoP) scheme = 'DPoP without a proof';
    seen.set(scheme, (seen.get(scheme) ?? 0) + 1);
  });
  return { client, seen };
}

async function all(collection) {
  const items = [];
  for await (const item of await collection) items.push(item);
  return items;
}

const { client, seen } = newClient(['okta.users.manage', 'okta.groups.manage']);
const stamp = Date.now().toString(36);
const login = `node-${stamp}@example.com`;

const newPerson = (name) => client.userApi.createUser({
  activate: false,
  body: { profile: { login: name, email: name, firstName: 'Grace', lastName: "O'Hara-Ünal" } },
});

const made = await newPerson(login);
assert.equal(made.status, 'STAGED');

// The path has to be escaped in the proof as it is sent; the query does not belong into it.
const found = await client.userApi.getUser({ userId: login });
assert.equal(found.id, made.id);
assert.equal(found.profile.lastName, "O'Hara-Ünal");
const list = await all(client.userApi.listUsers({ search: `profile.login eq "${login}"` }));
assert.deepEqual(list.map((user) => user.id), [made.id]);

const updated = await client.userApi.updateUser({ userId: made.id, user: { profile: { nickName: 'Amazing' } } });
assert.equal(updated.profile.nickName, 'Amazing');
assert.equal(updated.profile.firstName, 'Grace');

const group = await client.groupApi.createGroup({ group: { profile: { name: `Node ${stamp}` } } });
await client.groupApi.assignUserToGroup({ groupId: group.id, userId: made.id });
const members = await all(client.groupApi.listGroupUsers({ groupId: group.id }));
assert.deepEqual(members.map((user) => user.id), [made.id]);
await client.groupApi.unassignUserFromGroup({ groupId: group.id, userId: made.id });
await client.groupApi.deleteGroup({ groupId: group.id });

// More than one page.
const second = await newPerson(`node-${stamp}-2@example.com`);
const people = await all(client.userApi.listUsers({ limit: 1 }));
const ids = new Set(people.map((user) => user.id));
assert.equal(ids.size, people.length);
assert.ok(ids.has(made.id) && ids.has(second.id), `${made.id} and ${second.id} are not among ${[...ids]}`);

for (const { id } of [made, second]) {
  await client.userApi.deactivateUser({ userId: id });
  await client.userApi.deleteUser({ userId: id });
}
await assert.rejects(client.userApi.getUser({ userId: made.id }), { status: 404, errorCode: 'E0000007' });

assert.deepEqual([...seen.keys()], [kind]);
console.log(`${seen.get(kind)} calls with a ${kind} token`);

// A token is good for its scopes only.
const { client: other } = newClient(['okta.groups.manage']);
await assert.rejects(all(other.userApi.listUsers({ limit: 1 })), { status: 403 });
