// The client of orval.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as api from "../generated/orval";
import type { components } from "../generated/openapi-typescript";
import { account } from "./service";

// The other client's test says what the types are. These are the same.
type Same<A, B> = [A, B] extends [B, A] ? true : false;
type Schemas = components["schemas"];
export const same: [
  Same<api.CreateRequest, Schemas["CreateRequest"]>,
  Same<api.UpdateRequest, Schemas["UpdateRequest"]>,
  Same<api.Repository, Schemas["Repository"]>,
  Same<api.Image, Schemas["Image"]>,
  Same<api.Problem, Schemas["Problem"]>,
  Same<api.CredentialsRequest, Schemas["CredentialsRequest"]>,
  Same<api.Credentials, Schemas["Credentials"]>,
] = [true, true, true, true, true, true, true];

test("the client of orval calls the service", async () => {
  const repository = [account, "orval", "dasher"] as const;

  const created = await api.createRepository(account, "orval", { RepositoryName: "dasher", ScanOnPush: true });
  assert.equal(created.status === 200 && created.data.ScanOnPush, "true");
  const listed = await api.listGroupRepositories(account, "orval");
  assert.deepEqual(listed.data, ["orval/dasher"]);
  const updated = await api.updateRepository(...repository, { ScanOnPush: "false", ImageTagMutability: "IMMUTABLE" });
  assert.equal(updated.status === 200 && updated.data.ScanOnPush, "false");
  const shown = await api.showRepository(...repository);
  assert.equal(shown.status === 200 && shown.data.ImageTagMutability, "IMMUTABLE");
  assert.deepEqual((await api.deleteRepository(...repository)).data, shown.data);
  const missing = await api.showRepository(...repository);
  assert.equal(missing.status === 404 && missing.data.code, "repository-not-found");

  const images = await api.listImages(account, "spindev-00001", "welcome");
  assert.ok(images.status === 200 && images.data.length > 0);
  assert.ok(images.data.every((image) => image.ImageSizeInBytes));

  const credentials = await api.createCredentials(account, "spindev-00001", "welcome", { Access: "push" });
  assert.ok(credentials.status === 200 && credentials.data.Access === "push" && credentials.data.Password);
});
