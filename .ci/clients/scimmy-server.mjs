// A SCIM server of SCIMMY and its routers, in memory, on a free port. It prints
// its address. script/provision_test.go provisions people to it.
import { randomUUID } from 'node:crypto';
import express from 'express';
import SCIMMY from 'scimmy';
import Routers from 'scimmy-routers';

// keep declares a resource whose values of one attribute are unique.
function keep(Resource, unique) {
  const all = new Map();
  const names = new Map();
  const key = (data) => String(data[unique]).toLowerCase();
  SCIMMY.Resources.declare(Resource)
    .ingress((resource, data) => {
      const id = resource.id ?? randomUUID();
      const before = all.get(id);
      if (resource.id && !before) throw new SCIMMY.Types.Error(404, null, `Resource ${id} not found`);
      const holder = names.get(key(data));
      if (holder && holder !== id) throw new SCIMMY.Types.Error(409, 'uniqueness', `${unique} is taken`);
      if (before) names.delete(key(before));
      const now = new Date();
      const kept = { ...JSON.parse(JSON.stringify(data)), id, meta: { created: before?.meta.created ?? now, lastModified: now } };
      all.set(id, kept);
      names.set(key(kept), id);
      return kept;
    })
    .egress((resource) => {
      if (resource.id) {
        const found = all.get(resource.id);
        if (!found) throw new SCIMMY.Types.Error(404, null, `Resource ${resource.id} not found`);
        return found;
      }
      const list = [...all.values()];
      return resource.filter ? resource.filter.match(list) : list;
    })
    .degress((resource) => {
      const found = all.get(resource.id);
      if (!found) throw new SCIMMY.Types.Error(404, null, `Resource ${resource.id} not found`);
      all.delete(resource.id);
      names.delete(key(found));
    });
}

keep(SCIMMY.Resources.User, 'userName');
keep(SCIMMY.Resources.Group, 'displayName');
SCIMMY.Resources.User.extend(SCIMMY.Schemas.EnterpriseUser, false);

const app = express();
app.use('/', new Routers({ type: 'bearer', handler: () => 'operator' }));
const server = app.listen(0, '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));
