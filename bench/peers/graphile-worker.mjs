// graphile-worker beside us, on the same PostgreSQL in the same run (E37): prints one JSON line a figure.
//
// node graphile-worker.mjs URL SINGLES BATCHED
//
// Its settings for draining are those of its own documentation for speed: several processes, a local queue in each, completions in batches.
// What one process of Node.js would limit is spread over PROCESSES of them.
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Logger, run, runMigrations } from "graphile-worker";
import pg from "pg";

const [url, singles, batched] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const role = process.argv[5];
const PROCESSES = 4;
const CONNECTIONS = 32;
const BATCH = 1_000;
const payload = (number) => ({ number, filler: "x".repeat(150) });
const say = (figure, unit, value) => console.log(JSON.stringify({ figure, unit, value: Math.round(value * 1_000) / 1_000 }));
const logger = new Logger(() => (level, message) => level === "error" && console.error(message));

const pool = new pg.Pool({ connectionString: url, max: role ? CONNECTIONS / PROCESSES : 4 });
pool.on("error", (error) => console.error(error.message));
pool.on("connect", (client) => client.on("error", (error) => console.error(error.message)));
if (!role) await runMigrations({ pgPool: pool, logger });

// One job a statement, 32 connections.
if (role === "enqueue") {
  const client = async () => {
    const client = await pool.connect();
    for (let number = 0; number < singles / CONNECTIONS; number++) {
      await client.query({ name: "one", text: "SELECT graphile_worker.add_job('bench', payload := $1::json)", values: [JSON.stringify(payload(number))] });
    }
    client.release();
  };
  await go();
  await Promise.all(Array.from({ length: CONNECTIONS / PROCESSES }, client));
  process.exit(0);
}

// Works until it is told that all is done.
if (role === "drain") {
  await go();
  let done = 0;
  setInterval(() => { process.send(done); done = 0; }, 10);
  await run({
    pgPool: pool,
    noHandleSignals: true,
    logger,
    taskList: { bench: () => { done++; } },
    preset: {
      worker: {
        concurrentJobs: 24,
        localQueue: { size: 500, refetchDelay: { durationMs: 10 } },
        completeJobBatchDelay: 0,
        failJobBatchDelay: 0,
      },
    },
  });
  await new Promise(() => {});
}

/// Says that it is ready, and waits to be told to begin.
function go() {
  return new Promise((resolve) => { process.once("message", resolve); process.send("ready"); });
}

/// Processes that have a role, all ready.
async function crew(role) {
  const found = Array.from({ length: PROCESSES }, () => fork(fileURLToPath(import.meta.url), [url, singles, batched, role]));
  await Promise.all(found.map((child) => new Promise((resolve) => child.once("message", resolve))));
  return found;
}

const producers = await crew("enqueue");
let began = performance.now();
let next = 0;
await Promise.all(producers.map((child) => new Promise((resolve, reject) => {
  child.on("exit", (code) => (code === 0 ? resolve() : reject(new Error(`a producer ended with ${code}`))));
  child.send("go");
})));
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
const workers = await crew("drain");
began = performance.now();
let done = 0;
await new Promise((resolve) => {
  for (const child of workers) {
    child.on("message", (count) => { done += count; if (done >= batched) resolve(); });
    child.send("go");
  }
});
const seconds = (performance.now() - began) / 1_000;
for (const child of workers) child.kill();
say(`drain, ${PROCESSES} processes, local queue of 500 in each, completions in batches`, "tasks/s", batched / seconds);
await pool.end();
