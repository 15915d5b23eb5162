// graphile-worker with a local queue and batched completions, as its guide to performance says.
import { createRequire } from "node:module";
import { openSync, writeSync } from "node:fs";

const [home, text] = process.argv.slice(2);
const options = JSON.parse(text);
const { run } = createRequire(`${home}/`)("graphile-worker");

const progress = openSync(options.progress, "r+");
const cell = Buffer.alloc(8);
const latencies = [];
let done = 0;

function did() {
  done += 1;
  cell.writeBigInt64LE(BigInt(done));
  writeSync(progress, cell, 0, 8, 8 * options.slot);
}

const silent = () => () => {};
const { Logger } = createRequire(`${home}/`)("graphile-worker");

function word() {
  return new Promise((resolve) => process.stdin.once("data", resolve));
}

process.stdout.write('{"ready": true}\n');
await word();
const before = process.cpuUsage();
await run({
  connectionString: options.dsn,
  concurrency: options.concurrency,
  noHandleSignals: true,
  logger: new Logger(silent),
  taskList: {
    bench: async (job) => {
      if (job.t) latencies.push((Number(process.hrtime.bigint()) - job.t) / 1e6);
      did();
    },
  },
  preset: { worker: { localQueue: { size: options.local }, completeJobBatchDelay: 0, failJobBatchDelay: 0 } },
});
await word();
const used = process.cpuUsage(before);
process.stdout.write(JSON.stringify({ done, cpu: (used.user + used.system) / 1e6, latencies }) + "\n", () => process.exit(0));
