// Long work in short slices: as much as fits into one at once, the rest in turns, between which the page is painted and
// listens. One queue for all, so that many jobs are no busier than one.

const SLICE = 8; // milliseconds; what a slice began it ends, so steps are to be short
const jobs = [];
let isRunning = false;

// Calls step() until it returns false; the promise is kept when it did. Short work is done before this returns.
export function inSlices(step) {
  return new Promise((done, failed) => {
    jobs.push({ step, done, failed });
    if (!isRunning) run();
  });
}

function run() {
  isRunning = true;
  for (const end = performance.now() + SLICE; jobs.length && performance.now() < end; ) runStep(jobs[0]);
  isRunning = jobs.length > 0;
  if (isRunning) setTimeout(run);
}

function runStep({ step, done, failed }) {
  try {
    if (step()) return;
    done();
  } catch (error) {
    failed(error);
  }
  jobs.shift();
}
