// A standard OAuth 2.1 / OpenID server for tests: PKCE, device codes, rotating refresh tokens.
// Prints its issuer, and ends when its standard input does.
import http from 'node:http';
import { Provider } from 'oidc-provider';

const clients = JSON.parse(process.argv[2]);
const server = http.createServer((request, response) => handler(request, response));
let handler = (_, response) => response.end();

server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients,
    scopes: ['openid', 'profile', 'email', 'offline_access', 'grok-cli:access', 'api:access'],
    claims: { openid: ['sub'], email: ['email'], profile: ['name'] },
    conformIdTokenClaims: false,
    features: { devInteractions: { enabled: true }, deviceFlow: { enabled: true } },
    findAccount: (_, id) => ({
      accountId: id,
      claims: async () => ({ sub: id, email: `${id}@example.com` }),
    }),
    issueRefreshToken: async () => true,
    rotateRefreshToken: true,
    pkce: { required: (_, client) => client.responseTypes?.includes('code') ?? true },
    ttl: { AccessToken: 3, DeviceCode: 60, Interaction: 60, Session: 60, Grant: 600, RefreshToken: 600, IdToken: 60 },
    cookies: { keys: ['for-tests-only'] },
  });
  handler = provider.callback();
  process.stdout.write(`${issuer}\n`);
});

process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
