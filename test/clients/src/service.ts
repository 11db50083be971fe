// The service that the tests call. The variables are those that -local prints.
export const { API = "", TOKEN = "" } = process.env;
export const origin = new URL(API).origin;
export const account = "012345678901";
