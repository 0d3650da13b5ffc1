// Asks a runner that .ci/clients has filled through openapi-fetch, with the types
// that openapi-typescript makes. It ends with an error at the first answer that is
// not due.
// usage: node main.mjs URL TOKEN
import assert from "node:assert/strict";
import { argv } from "node:process";
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

const app = "ghcr.io/team/app:1.2.3";
const names = ["alpha", "beta", "gamma", "team/app"];
const [url, token] = argv.slice(2);
const client = createClient<paths>({ baseUrl: url! });

function got<T>(answer: { data?: T; error?: unknown }): T {
  if (answer.data === undefined) assert.fail(`error ${JSON.stringify(answer.error)}`);
  return answer.data;
}
const namesOf = (repositories: components["schemas"]["Repository"][]) => repositories.map((r) => r.name);

const all = got(await client.GET("/api/repositories"));
assert.deepEqual(namesOf(all.repositories), names);
const newest: string = all.repositories[3]!.reference; // not undefined: it is always there
assert.equal(newest, app);

const read: string[] = [];
let next: string | undefined;
do {
  const page = got(await client.GET("/api/repositories", { params: { query: { limit: 3, next } } }));
  read.push(...namesOf(page.repositories));
  next = page.next;
} while (next !== undefined);
assert.deepEqual(read, names);

const references = got(await client.GET("/api/repositories/{name}", { params: { path: { name: "team/app" } } })).references;
const reference = references[0]!;
assert.equal(reference.reference, app);
assert.equal(reference.size, 1337);
assert.equal(reference.pushedAt, "2023-07-03T14:56:52.060421812Z");

const unknown = await client.GET("/api/repositories/{name}", { params: { path: { name: "team/nothing" } } });
assert.equal(unknown.response.status, 404);
assert.equal(unknown.error?.error, "Provider not yet published");

const badge = await client.GET("/{name}", {
  params: { path: { name: "team/app" }, query: { sort: "semver", ignore: ["latest", "*-rc.*"] } },
});
assert.equal((got(badge) as components["schemas"]["Badge"]).message, app);

const members = got(await client.GET("/api/categories/{category}", { params: { path: { category: "official" } } }));
assert.deepEqual(members.repositories.map((m) => m.reference), [undefined, app]);

const write = {
  params: { path: { reference: "localhost:5000/team/tool:1" } },
  parseAs: "text" as const,
};
const body = { pushedAt: new Date().toISOString() };
const refused = await client.PUT("/api/references/{reference}", { ...write, body });
assert.equal(refused.response.status, 401);
const headers = { Authorization: `Bearer ${token}` };
const stored = await client.PUT("/api/references/{reference}", { ...write, body, headers });
assert.equal(got(stored), "Url localhost:5000/team/tool:1 stored for team/tool");
const deleted = await client.DELETE("/api/references/{reference}", { ...write, headers });
assert.equal(got(deleted), "Deleted 1 reference of team/tool");
