// Signs a person in by authorization code with PKCE, through the pages as a
// browser does, and an app by its key, all with a certified OpenID client.
// script/clients starts it and says which org, which apps and which person.
import assert from 'node:assert/strict';
import { createPrivateKey, webcrypto } from 'node:crypto';

import * as openid from 'openid-client';

import { Browser } from './pages.mjs';

const env = process.env;
const org = new URL(env.OKTA_CLIENT_ORGURL);
const insecure = { execute: org.protocol === 'http:' ? [openid.allowInsecureRequests] : [] };
const person = { login: env.PERSON_LOGIN, password: env.PERSON_PASSWORD };
const redirect = env.APP_REDIRECT_URI;

await codeWithPKCE();
await serviceApp(false, env.BEARER_CLIENTID, env.BEARER_PRIVATEKEY);
await serviceApp(true, env.DPOP_CLIENTID, env.DPOP_PRIVATEKEY);

async function codeWithPKCE() {
  const app = await openid.discovery(org, env.APP_CLIENTID, undefined, openid.None(), insecure);
  assert.ok(app.serverMetadata().supportsPKCE(), 'discovery does not say that PKCE is supported');

  const verifier = openid.randomPKCECodeVerifier();
  const state = openid.randomState();
  const nonce = openid.randomNonce();
  const address = openid.buildAuthorizationUrl(app, {
    redirect_uri: redirect,
    scope: 'openid profile email offline_access okta.users.read',
    code_challenge: await openid.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
    nonce,
  });
  const arrived = await signIn(address);
  const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true };

  const tokens = await openid.authorizationCodeGrant(app, arrived, checks);
  assert.equal(tokens.token_type, 'bearer');
  assert.ok(tokens.refresh_token, 'no refresh token although offline_access was asked for');
  assert.equal(tokens.claims().aud, env.APP_CLIENTID);

  const me = await openid.fetchUserInfo(app, tokens.access_token, tokens.claims().sub);
  assert.equal(me.preferred_username, person.login);
  await reads(app, tokens.access_token);

  const refreshed = await openid.refreshTokenGrant(app, tokens.refresh_token);
  await reads(app, refreshed.access_token);

  const alive = await openid.tokenIntrospection(app, refreshed.access_token);
  assert.equal(alive.active, true);
  assert.match(alive.scope, /\bokta\.users\.read\b/);
  await openid.tokenRevocation(app, refreshed.access_token);
  assert.equal((await openid.tokenIntrospection(app, refreshed.access_token)).active, false);
  await assert.rejects(reads(app, refreshed.access_token));

  const last = refreshed.refresh_token ?? tokens.refresh_token;
  await openid.tokenRevocation(app, last);
  await assert.rejects(openid.refreshTokenGrant(app, last), { error: 'invalid_grant' });

  // A code is good once, and with its verifier only.
  await assert.rejects(openid.authorizationCodeGrant(app, arrived, checks), { error: 'invalid_grant' });
  const stolen = { ...checks, pkceCodeVerifier: openid.randomPKCECodeVerifier() };
  await assert.rejects(openid.authorizationCodeGrant(app, await signIn(address), stolen), { error: 'invalid_grant' });

  await refusals(app, address);
  console.log('authorization code with PKCE, refresh, introspection, revocation');
}

// signIn goes from the authorization request to the redirect that carries the code.
async function signIn(address) {
  const browser = new Browser();
  let page = await browser.open(address, { stopAt: redirect });
  assert.ok(!page.arrived, `a code without signing in: ${page.arrived}`);

  // A wrong password leads back to the form.
  page = await browser.send(page.form({ ...person, password: 'not the password' }), { stopAt: redirect });
  assert.ok(!page.arrived, `signed in with a wrong password: ${page.arrived}`);

  page = await browser.send(page.form(person), { stopAt: redirect });
  if (!page.arrived) page = await browser.send(page.form({}, allows), { stopAt: redirect });
  assert.ok(page.arrived, `${page.status} ${page.address}: ${page.text}`);
  return page.arrived;
}

// allows tells the button that agrees from the one that does not.
function allows(button) {
  const says = [button.getAttribute('name'), button.getAttribute('value'), button.text].join(' ');
  return !/deny|cancel|reject|decline|don.t|refuse/i.test(says);
}

// refusals are requests that must not lead to a code.
async function refusals(app, address) {
  // Nothing is sent to an address that the app has not.
  const elsewhere = new URL(address);
  elsewhere.searchParams.set('redirect_uri', 'https://elsewhere.example/callback');
  let page = await new Browser().open(elsewhere, { stopAt: 'https://elsewhere.example/' });
  assert.ok(!page.arrived, 'redirected to an address that the app has not');
  assert.equal(page.status, 400);

  // What is wrong with the rest of the request is told to the app.
  const unknown = new URL(address);
  unknown.searchParams.set('scope', 'openid okta.unheard.of');
  page = await new Browser().open(unknown, { stopAt: redirect });
  assert.equal(page.arrived?.searchParams.get('error'), 'invalid_scope');
  assert.equal(page.arrived.searchParams.get('state'), address.searchParams.get('state'));
  await assert.rejects(openid.authorizationCodeGrant(app, page.arrived, { expectedState: address.searchParams.get('state') }), { error: 'invalid_scope' });
}

// reads lists people with a token.
async function reads(app, token, options) {
  const answer = await openid.fetchProtectedResource(app, token, new URL('/api/v1/users?limit=1', org), 'GET', undefined, undefined, options);
  assert.equal(answer.status, 200, await answer.clone().text());
  assert.equal((await answer.json()).length, 1);
}

// serviceApp signs in with an app's key on an elliptic curve.
async function serviceApp(bound, clientId, pem) {
  const pkcs8 = createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' });
  const key = await webcrypto.subtle.importKey('pkcs8', pkcs8, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']);
  // Okta wants the endpoint for the audience, which is the issuer here unless one says otherwise.
  const forEndpoint = { [openid.modifyAssertion]: (_, claims) => (claims.aud = new URL('/oauth2/v1/token', org).href) };
  const signIn = openid.PrivateKeyJwt({ key, kid: env.KEYID }, forEndpoint);
  const app = await openid.discovery(org, clientId, undefined, signIn, insecure);
  const options = bound ? { DPoP: openid.getDPoPHandle(app, await openid.randomDPoPKeyPair('ES256')) } : undefined;
  const tokens = await openid.clientCredentialsGrant(app, { scope: 'okta.users.read' }, options);
  assert.equal(tokens.token_type, bound ? 'dpop' : 'bearer');
  await reads(app, tokens.access_token, options);
  await assert.rejects(openid.clientCredentialsGrant(app, { scope: 'okta.logs.read' }, options), { error: 'invalid_scope' });
  if (bound) {
    // A token that is bound to a key is worth nothing without it.
    await assert.rejects(openid.clientCredentialsGrant(app, { scope: 'okta.users.read' }), { error: 'invalid_dpop_proof' });
    await assert.rejects(reads(app, tokens.access_token));
    const other = { DPoP: openid.getDPoPHandle(app, await openid.randomDPoPKeyPair('ES256')) };
    await assert.rejects(reads(app, tokens.access_token, other));
  }
  console.log(`private_key_jwt with ES256, ${bound ? 'with' : 'without'} DPoP`);
}
