// Serves S3 from a folder on a free port, which it says, until its input is closed.
"use strict";
const S3rver = require("s3rver");

const [directory, bucket] = process.argv.slice(2);
const server = new S3rver({
  address: "127.0.0.1",
  port: 0,
  silent: true,
  directory,
  configureBuckets: [{ name: bucket }],
});
server.run().then(
  ({ port }) => console.log(port),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
process.stdin.on("end", () => process.exit(0)).resume();
