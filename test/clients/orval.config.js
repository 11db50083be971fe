module.exports = {
  api: {
    input: "generated/openapi.json",
    output: {
      target: "generated/orval.ts",
      client: "fetch",
      override: { mutator: { path: "src/send.ts", name: "send" } },
    },
  },
};
