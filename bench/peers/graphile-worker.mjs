// graphile-worker beside us, on the same PostgreSQL in the same run (E37): prints one JSON line a figure.
//
// node graphile-worker.mjs URL SINGLES BATCHED
//
// Its settings for draining are those of its own documentation for speed: one pool, a local queue, completions in batches.
import { Logger, run, runMigrations } from "graphile-worker";
import pg from "pg";

const [url, singles, batched] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const CONNECTIONS = 32;
const BATCH = 1_000;
const payload = (number) => ({ number, filler: "x".repeat(150) });
const say = (figure, unit, value) => console.log(JSON.stringify({ figure, unit, value: Math.round(value * 1_000) / 1_000 }));
const logger = new Logger(() => (level, message) => level === "error" && console.error(message));

const pool = new pg.Pool({ connectionString: url, max: CONNECTIONS });
pool.on("error", (error) => console.error(error.message));
pool.on("connect", (client) => client.on("error", (error) => console.error(error.message)));
await runMigrations({ pgPool: pool, logger });

// One job a statement, 32 connections.
let began = performance.now();
let next = 0;
await Promise.all(Array.from({ length: CONNECTIONS }, async () => {
  const client = await pool.connect();
  while (next < singles) {
    const number = next++;
    await client.query({ name: "one", text: "SELECT graphile_worker.add_job('bench', payload := $1::json)", values: [JSON.stringify(payload(number))] });
  }
  client.release();
}));
say("enqueue, one a statement, 32 connections", "tasks/s", singles / ((performance.now() - began) / 1_000));
await pool.query("SELECT graphile_worker.complete_jobs(array_agg(id)) FROM graphile_worker._private_jobs");

// A thousand a statement, 4 connections.
began = performance.now();
next = 0;
await Promise.all(Array.from({ length: 4 }, async () => {
  while (next < batched) {
    const from = next;
    next += BATCH;
    const jobs = Array.from({ length: BATCH }, (_, at) => ({ identifier: "bench", payload: payload(from + at) }));
    await pool.query({
      name: "many",
      text: `SELECT count(*) FROM graphile_worker.add_jobs(ARRAY(
               SELECT json_populate_record(null::graphile_worker.job_spec, value) FROM json_array_elements($1::json)))`,
      values: [JSON.stringify(jobs)],
    });
  }
}));
say("enqueue, 1,000 a statement", "tasks/s", batched / ((performance.now() - began) / 1_000));

// Drains all of it.
began = performance.now();
let done = 0;
let finish;
const over = new Promise((resolve) => (finish = resolve));
const runner = await run({
  pgPool: pool,
  noHandleSignals: true,
  logger,
  taskList: { bench: () => { if (++done === batched) finish(); } },
  preset: {
    worker: {
      concurrentJobs: 24,
      localQueue: { size: 500, refetchDelay: { durationMs: 10 } },
      completeJobBatchDelay: 0,
      failJobBatchDelay: 0,
    },
  },
});
await over;
const seconds = (performance.now() - began) / 1_000;
await runner.stop();
say("drain, local queue of 500, completions in batches", "tasks/s", batched / seconds);
await pool.end();
