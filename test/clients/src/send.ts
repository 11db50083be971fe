// Sends the requests of orval's client, with the token.
import { origin, TOKEN } from "./service";

export async function send<T>(path: string, options: RequestInit): Promise<T> {
  const headers = new Headers(options.headers);
  headers.set("X-Auth-Token", TOKEN);
  const answer = await fetch(origin + path, { ...options, headers });
  return { data: await answer.json(), status: answer.status, headers: answer.headers } as T;
}
