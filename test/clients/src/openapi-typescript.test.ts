// The client of openapi-typescript and openapi-fetch.
import assert from "node:assert/strict";
import { test } from "node:test";
import createClient from "openapi-fetch";
import type { components, paths } from "../generated/openapi-typescript";
import { account, origin, TOKEN } from "./service";

type Repository = components["schemas"]["Repository"];
type Image = components["schemas"]["Image"];
type CreateRequest = components["schemas"]["CreateRequest"];
type CredentialsRequest = components["schemas"]["CredentialsRequest"];

// Requests are closed.
export const requests: CreateRequest[] = [
  { RepositoryName: "a", ScanOnPush: "true" },
  { RepositoryName: "a", ScanOnPush: false, ImageTagMutability: null, Tags: [{ Key: "k", Value: "" }] },
  { RepositoryName: "a", ImageTagMutability: "MUTABLE_WITH_EXCLUSION", ImageTagMutabilityExclusionFilters: ["v*"] },
  // @ts-expect-error: a typo
  { RepositoryName: "a", ScanOnPsuh: true },
  // @ts-expect-error: neither "true" nor "false"
  { RepositoryName: "a", ScanOnPush: "yes" },
  // @ts-expect-error: only answers may have what AWS adds
  { RepositoryName: "a", ImageTagMutability: "SOMETHING_NEW" },
  // @ts-expect-error: a name is needed
  {},
];

export const access: CredentialsRequest[] = [
  { Access: "pull" },
  { Access: "push" },
  // @ts-expect-error: neither "pull" nor "push"
  { Access: "delete" },
  // @ts-expect-error: it is needed
  {},
];

// AWS may add a value.
export function isFixed({ ImageTagMutability: mutability }: Repository): boolean | undefined {
  switch (mutability) {
    case "IMMUTABLE":
      return true;
    case "MUTABLE":
      return false;
    case "SOMETHING_NEW":
    default:
      return undefined;
  }
}

// What AWS does not give is null.
export function describe(image: Image): string {
  // @ts-expect-error: it may be null
  const size: number = image.ImageSizeInBytes;
  // @ts-expect-error: it may be null
  const pushed: string = image.ImagePushedAt;
  const findings = image.ImageScanFindingsSummary?.FindingSeverityCounts["CRITICAL"] ?? "no";
  return `${image.ImageDigest}: ${image.ImageTags.join()}, ${size} bytes, pushed at ${pushed}, ${findings} critical findings`;
}

test("the client of openapi-typescript calls the service", async () => {
  const api = createClient<paths>({ baseUrl: origin, headers: { "X-Auth-Token": TOKEN } });
  const group = { path: { account, group: "openapi-typescript" } };
  const repository = { path: { ...group.path, name: "dasher" } };
  const all = "/v1/ecr/{account}/repositories/{group}";
  const one = "/v1/ecr/{account}/repositories/{group}/{name}";

  const created = await api.POST(all, { params: group, body: { RepositoryName: "dasher", ScanOnPush: true } });
  assert.equal(created.data?.ScanOnPush, "true");
  const listed = await api.GET(all, { params: group });
  assert.deepEqual(listed.data, ["openapi-typescript/dasher"]);
  const updated = await api.PUT(one, { params: repository, body: { ScanOnPush: "false", ImageTagMutability: "IMMUTABLE" } });
  assert.equal(updated.data?.ScanOnPush, "false");
  const shown = await api.GET(one, { params: repository });
  assert.equal(shown.data && isFixed(shown.data), true);
  assert.deepEqual((await api.DELETE(one, { params: repository })).data, shown.data);
  const missing = await api.GET(one, { params: repository });
  assert.equal(missing.error?.code, "repository-not-found");

  const welcome = { path: { account, group: "spindev-00001", name: "welcome" } };
  const images = await api.GET(`${one}/images`, { params: welcome });
  assert.match(images.data?.map(describe).join() ?? "", /^sha256:.* bytes, pushed at .* critical findings$/);

  const credentials = await api.POST(`${one}/credentials`, { params: welcome, body: { Access: "pull" } });
  assert.ok(credentials.data);
  const { Username, Password, Registry, DockerConfig } = credentials.data;
  assert.deepEqual(DockerConfig.auths, { [Registry]: { auth: btoa(`${Username}:${Password}`) } });
});
