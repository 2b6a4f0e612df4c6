// Calls every operation of identity sources by Okta's SDK for Node: sessions and
// what is loaded into them, and single users, groups and memberships.
// script/clients starts it and says which org and which app.
import assert from 'node:assert/strict';
import { setTimeout } from 'node:timers/promises';

import okta from '@okta/okta-sdk-nodejs';

const {
  OKTA_CLIENT_ORGURL: orgUrl,
  OKTA_CLIENT_CLIENTID: clientId,
  OKTA_CLIENT_PRIVATEKEY: privateKey,
  OKTA_CLIENT_PRIVATEKEYID: keyId,
  WANT_TOKEN_TYPE: kind,
} = process.env;
const client = new okta.Client({
  orgUrl, authorizationMode: 'PrivateKey', clientId, privateKey, keyId,
  scopes: ['okta.identitySources.manage', 'okta.apps.manage', 'okta.users.read', 'okta.groups.read', 'okta.logs.read'],
});
const calls = new Set();
const api = new Proxy(client.identitySourceApi, {
  get(target, name) {
    return (param) => {
      calls.add(name);
      return target[name](param);
    };
  },
});
const stamp = `${Date.now().toString(36)}${kind}`.toLowerCase();

const app = await client.applicationApi.createApplication({
  application: { name: 'custom_identity_source', label: `HR ${stamp}`, signOnMode: 'AUTO_LOGIN', features: ['IMPORT_NEW_USERS', 'PROFILE_MASTERING'] },
});
const identitySourceId = app.id;
// This edition of the SDK does not know the feature yet; its transport will do.
await client.http.http(`${orgUrl}/api/v1/apps/${app.id}/features/INBOUND_PROVISIONING`, {
  method: 'PUT',
  headers: { Accept: 'application/json', 'Content-Type': 'application/json' },
  body: JSON.stringify({
    importRules: { userCreateAndMatch: { exactMatchCriteria: 'USERNAME', autoConfirmExactMatch: true, autoConfirmNewUsers: true, autoActivateNewUsers: true } },
    importSettings: { username: { usernameFormat: 'EMAIL' }, schedule: { status: 'DISABLED' } },
  }),
});

const person = (name) => ({
  externalId: `${stamp}-${name}`,
  profile: { userName: `${name}-${stamp}@example.com`, email: `${name}-${stamp}@example.com`, firstName: name, lastName: stamp },
});

// One session is loaded with everything there is, and cancelled.
const first = await api.createIdentitySourceSession({ identitySourceId });
assert.equal(first.status, 'CREATED');
assert.equal(first.importType, 'INCREMENTAL');
const load = async (sessionId) => {
  await api.uploadIdentitySourceDataForUpsert({ identitySourceId, sessionId, BulkUpsertRequestBody: { entityType: 'USERS', profiles: [person('ann'), person('bob')] } });
  await api.uploadIdentitySourceGroupsForUpsert({ identitySourceId, sessionId, bulkGroupUpsertRequestBody: { profiles: [{ externalId: `${stamp}-g`, profile: { displayName: `Node ${stamp}`, description: 'People' } }] } });
  await api.uploadIdentitySourceGroupMembershipsForUpsert({ identitySourceId, sessionId, bulkGroupMembershipsUpsertRequestBody: { memberships: [{ groupExternalId: `${stamp}-g`, memberExternalIds: [`${stamp}-ann`, `${stamp}-bob`] }] } });
};
await load(first.id);
assert.equal((await api.getIdentitySourceSession({ identitySourceId, sessionId: first.id })).status, 'IN_PROGRESS');
await assert.rejects(api.createIdentitySourceSession({ identitySourceId }), { status: 400, errorCode: 'E0000001' });
await api.deleteIdentitySourceSession({ identitySourceId, sessionId: first.id });
assert.equal((await api.getIdentitySourceSession({ identitySourceId, sessionId: first.id })).status, 'CLOSED');

// The next one is imported.
const second = await api.createIdentitySourceSession({ identitySourceId });
const sessions = [];
for await (const s of await api.listIdentitySourceSessions({ identitySourceId })) sessions.push(s.id);
assert.deepEqual(sessions, [second.id]);
await load(second.id);
const started = await api.startImportFromIdentitySource({ identitySourceId, sessionId: second.id });
assert.equal(started.status, 'TRIGGERED');
const over = async (sessionId) => {
  for (let n = 0; n < 300; n += 1) {
    const { status } = await api.getIdentitySourceSession({ identitySourceId, sessionId });
    if (status !== 'TRIGGERED') return status;
    await setTimeout(100);
  }
  return 'TRIGGERED for 30 s';
};
assert.equal(await over(second.id), 'COMPLETED');
await assert.rejects(api.deleteIdentitySourceSession({ identitySourceId, sessionId: second.id }), { status: 400, errorCode: 'E0000001' });

const ann = await api.getIdentitySourceUser({ identitySourceId, externalId: `${stamp}-ann` });
assert.equal(ann.profile.firstName, 'ann');
const account = await client.userApi.getUser({ userId: `ann-${stamp}@example.com` });
assert.equal(account.profile.lastName, stamp);
assert.notEqual(account.status, 'STAGED');
const group = await api.getIdentitySourceGroup({ identitySourceId, groupOrExternalId: `${stamp}-g` });
// The SDK drops the profile of these groups: Okta's description nests it twice.
const nameOf = async (groupId) => (await client.groupApi.getGroup({ groupId })).profile.name;
assert.equal(group.externalId, `${stamp}-g`);
assert.equal(await nameOf(group.id), `Node ${stamp}`);
const members = async () => (await api.getIdentitySourceGroupMemberships({ identitySourceId, groupOrExternalId: group.id, limit: 100 })).memberExternalIds.sort();
assert.deepEqual(await members(), [`${stamp}-ann`, `${stamp}-bob`]);
const inOkta = [];
for await (const user of await client.groupApi.listGroupUsers({ groupId: group.id })) inOkta.push(user.profile.firstName);
assert.deepEqual(inOkta.sort(), ['ann', 'bob']);

// One by one.
const carol = person('carol');
await api.createIdentitySourceUser({ identitySourceId, userRequestSchema: carol });
await api.createIdentitySourceGroupsMemberships({ identitySourceId, groupOrExternalId: group.id, membershipRequestSchema: { memberExternalId: carol.externalId } });
assert.deepEqual(await members(), [`${stamp}-ann`, `${stamp}-bob`, carol.externalId]);
await api.deleteIdentitySourceGroupMemberships({ identitySourceId, groupOrExternalId: group.id, memberExternalId: `${stamp}-bob` });
assert.deepEqual(await members(), [`${stamp}-ann`, carol.externalId]);

const { userName, email } = carol.profile;
const patched = await api.updateIdentitySourceUsers({ identitySourceId, externalId: carol.externalId, usersUpdateRequestSchema: { profile: { userName, email, mobilePhone: '1-555' } } });
assert.equal(patched.profile.mobilePhone, '1-555');
assert.equal(patched.profile.firstName, 'carol');
const replaced = await api.replaceExistingIdentitySourceUser({ identitySourceId, externalId: carol.externalId, userRequestSchema: { profile: { userName, email, firstName: 'Carol', lastName: stamp } } });
assert.equal(replaced.profile.firstName, 'Carol');
assert.equal(replaced.profile.mobilePhone ?? null, null);
await api.deleteIdentitySourceUser({ identitySourceId, externalId: carol.externalId });
await assert.rejects(api.getIdentitySourceUser({ identitySourceId, externalId: carol.externalId }), { status: 404, errorCode: 'E0000007' });

const other = await api.createIdentitySourceGroups({ identitySourceId, groupsRequestSchema: { externalId: `${stamp}-h`, profile: { displayName: `Other ${stamp}` } } });
const renamed = await api.updateIdentitySourceGroups({ identitySourceId, groupOrExternalId: other.id, groupsRequestSchema: { profile: { displayName: `Renamed ${stamp}`, description: 'x' } } });
assert.equal(renamed.externalId, `${stamp}-h`);
assert.equal(await nameOf(other.id), `Renamed ${stamp}`);
await api.deleteIdentitySourceGroup({ identitySourceId, groupOrExternalId: `${stamp}-h` });
await assert.rejects(api.getIdentitySourceGroup({ identitySourceId, groupOrExternalId: other.id }), { status: 404, errorCode: 'E0000007' });

// The loads that remove. Sessions that are over are in nobody's way.
const third = await api.createIdentitySourceSession({ identitySourceId });
await api.uploadIdentitySourceDataForDelete({ identitySourceId, sessionId: third.id, BulkDeleteRequestBody: { entityType: 'USERS', profiles: [{ externalId: `${stamp}-bob` }] } });
await api.uploadIdentitySourceGroupMembershipsForDelete({ identitySourceId, sessionId: third.id, bulkGroupMembershipsDeleteRequestBody: { memberships: [{ groupExternalId: `${stamp}-g`, memberExternalIds: [`${stamp}-ann`] }] } });
await api.uploadIdentitySourceGroupsDataForDelete({ identitySourceId, sessionId: third.id, bulkGroupDeleteRequestBody: { externalIds: [`${stamp}-g`] } });
await api.startImportFromIdentitySource({ identitySourceId, sessionId: third.id });
assert.equal(await over(third.id), 'COMPLETED');
assert.equal((await client.userApi.getUser({ userId: `bob-${stamp}@example.com` })).status, 'DEPROVISIONED');
await assert.rejects(api.getIdentitySourceGroup({ identitySourceId, groupOrExternalId: group.id }), { status: 404 });

// What happened is in the system log.
const events = new Set();
for await (const e of await client.systemLogApi.listLogEvents({ filter: 'eventType sw "system.i"', sortOrder: 'DESCENDING', limit: 1000 })) events.add(e.eventType);
for (const type of ['system.import.session.created', 'system.import.session.triggered', 'system.import.session.cancelled', 'system.import.complete']) {
  assert.ok(events.has(type), `${type} is not among ${[...events].sort().join(', ')}`);
}

const operations = Object.getOwnPropertyNames(Object.getPrototypeOf(client.identitySourceApi)).filter((name) => name !== 'constructor');
assert.deepEqual(operations.filter((name) => !calls.has(name)), []);
console.log(`${operations.length} operations of identity sources`);
