/** Counts and durations in Prometheus' form, a registry of its own for each server. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

export interface Metrics {
  /** One answered request. */
  countRequest(request: { method: string; route: string; status: number; seconds: number }): void;
  countProblem(code: string): void;
  /** One run of the network. */
  countRun(run: { kind: 'text' | 'image'; inputs: number; seconds: number }): void;
  /** A number that is asked for when the metrics are. */
  watch(name: string, help: string, read: () => number): void;
  readonly contentType: string;
  text(): Promise<string>;
}

/** @param withProcess whether memory, processor time and event loop of this process are told, too */
export function createMetrics({ withProcess }: { withProcess: boolean }): Metrics {
  const registry = new Registry();
  const registers = [registry];
  if (withProcess) collectDefaultMetrics({ register: registry });
  const requests = new Histogram({
    name: 'eidos_http_request_duration_seconds',
    help: 'From the first byte of a request to the end of its answer’s making.',
    labelNames: ['method', 'route', 'status'] as const,
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers,
  });
  const problems = new Counter({
    name: 'eidos_problems_total',
    help: 'Answers that are problems, by their code.',
    labelNames: ['code'] as const,
    registers,
  });
  const runInputs = new Histogram({
    name: 'eidos_run_inputs',
    help: 'Texts or pictures of one run of the network: above one, requests share runs.',
    labelNames: ['kind'] as const,
    buckets: [1, 2, 4, 8, 16, 32, 64, 128],
    registers,
  });
  const runSeconds = new Histogram({
    name: 'eidos_run_duration_seconds',
    help: 'One run of the network.',
    labelNames: ['kind'] as const,
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
    registers,
  });

  return {
    countRequest: ({ seconds, ...labels }) => requests.observe(labels, seconds),
    countProblem: (code) => problems.inc({ code }),
    countRun({ kind, inputs, seconds }) {
      runInputs.observe({ kind }, inputs);
      runSeconds.observe({ kind }, seconds);
    },
    watch(name, help, read) {
      new Gauge({
        name,
        help,
        registers,
        collect() {
          this.set(read());
        },
      });
    },
    contentType: registry.contentType,
    text: () => registry.metrics(),
  };
}
