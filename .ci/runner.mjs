// Starts the local runner, whose binary LOCAL names.
import { spawn } from 'node:child_process';

// serve starts the runner with a free port.
export async function serve(...args) {
  const runner = spawn(process.env.LOCAL, ['-addr', 'localhost:0', ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  const url = await new Promise((resolve, reject) => {
    let log = '';
    runner.stderr.on('data', data => {
      log += data;
      const listening = log.match(/msg=listening url=(\S+)/);
      if (listening) resolve(listening[1]);
    });
    runner.on('exit', code => reject(new Error(`the runner ended with ${code}: ${log}`)));
  });
  return { url, stop: () => runner.kill() };
}
