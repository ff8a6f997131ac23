/** Where programs can run: a row a device, what is there on this machine, and what to do where one is missing. */
import { arch, platform } from 'node:os';
import { EidosError } from '../errors.ts';
import { probeInProcess } from './probe.ts';

/** Number types in which a program can be computed; its inputs and outputs are float32 in each. */
export type NumberType = 'fp32' | 'fp16' | 'int8';

export type Device = 'cpu' | 'webgpu' | 'cuda' | 'coreml' | 'dml';

const system = `${platform()}-${arch()}`;

interface DeviceRow {
  /** What people call it. */
  title: string;
  numberTypes: readonly NumberType[];
  /** The systems, as `platform-architecture`, for which onnxruntime-node's package has it. */
  systems: readonly string[];
  /** What must be there, and how one gets it. */
  remedy: string;
}

/**
 * One row a device. int8 is the CPU's alone: it is the fastest there, while accelerators have half floats.
 */
export const devices: { readonly [D in Device]: DeviceRow } = {
  cpu: {
    title: 'CPU',
    numberTypes: ['fp32', 'int8'],
    systems: ['linux-x64', 'linux-arm64', 'darwin-arm64', 'win32-x64', 'win32-arm64'],
    remedy:
      'onnxruntime-node has no binary for this system (macOS on Intel among them); use a supported one or a container with Linux.',
  },
  cuda: {
    title: 'CUDA (NVIDIA)',
    numberTypes: ['fp32', 'fp16'],
    systems: ['linux-x64'],
    remedy:
      "It needs an NVIDIA GPU with its driver, CUDA 12 and cuDNN 9 on the library path, and onnxruntime's CUDA libraries, which npm fetches only where onnxruntime-node is installed with ONNXRUNTIME_NODE_INSTALL=cuda12.",
  },
  coreml: {
    title: 'Core ML (Apple)',
    numberTypes: ['fp32', 'fp16'],
    systems: ['darwin-arm64'],
    remedy: 'It needs a Mac with Apple silicon.',
  },
  dml: {
    title: 'DirectML (Windows)',
    numberTypes: ['fp32', 'fp16'],
    systems: ['win32-x64', 'win32-arm64'],
    remedy: 'It needs Windows 10 (1903) or later with a GPU that has DirectX 12.',
  },
  webgpu: {
    title: 'WebGPU',
    numberTypes: ['fp32', 'fp16'],
    systems: ['linux-x64', 'darwin-arm64', 'win32-x64', 'win32-arm64'],
    remedy:
      'It needs a GPU with a driver for Vulkan (Linux: libvulkan1 and the maker’s driver), Metal or Direct3D 12.',
  },
};

/** The order in which 'auto' tries: what a system has made for itself, then what runs everywhere, then the CPU. */
const preference: readonly Device[] = ['cuda', 'coreml', 'dml', 'webgpu', 'cpu'];

/** What a device is like on this machine. */
export type DeviceReport =
  | { device: Device; available: true; numberTypes: readonly NumberType[] }
  | { device: Device; available: false; numberTypes: readonly NumberType[]; reason: string };

/** The device that runs, and those that were preferred but do not, with reasons. */
export interface DeviceChoice {
  device: Device;
  passedOver: { device: Device; reason: string }[];
}

/** Every device in the order of preference: tried by a small program, not only looked for. Takes up to seconds. */
export async function listDevices(): Promise<DeviceReport[]> {
  return Promise.all(
    preference.map(async (device) => {
      const { numberTypes } = devices[device];
      const reason = await reasonAgainst(device);
      return reason === undefined
        ? { device, available: true, numberTypes }
        : { device, available: false, numberTypes, reason };
    }),
  );
}

/**
 * Settles which device runs. 'cpu' costs nothing; another is tried in a process of its own first, as drivers
 * may crash or print, and each only once. 'auto' passes over devices without the number type, where one is asked for.
 * @throws EidosError `device_unavailable` with what is missing and what to do; nothing is replaced in silence.
 * `dtype_unavailable` where no device that works has the number type
 */
export async function chooseDevice(wanted: Device | 'auto', numberType?: NumberType): Promise<DeviceChoice> {
  if (wanted === 'auto') return chooseBest(numberType);
  const isAtHand = wanted === 'cpu' && devices.cpu.systems.includes(system);
  const reason = isAtHand ? undefined : await reasonAgainst(wanted);
  if (reason !== undefined) throw unavailable(wanted, reason);
  if (numberType !== undefined) requireNumberType(wanted, numberType);
  return { device: wanted, passedOver: [] };
}

async function chooseBest(numberType: NumberType | undefined): Promise<DeviceChoice> {
  const passedOver: DeviceChoice['passedOver'] = [];
  for (const device of preference) {
    const { numberTypes, title } = devices[device];
    const reason =
      numberType === undefined || numberTypes.includes(numberType)
        ? await reasonAgainst(device)
        : `The ${title} device does not compute in ${numberType}.`;
    if (reason === undefined) return { device, passedOver };
    passedOver.push({ device, reason });
  }
  const reasons = passedOver.map(({ device, reason }) => `${device}: ${reason}`).join(' ');
  if (numberType !== undefined && (await reasonAgainst('cpu')) === undefined) {
    throw new EidosError(
      'dtype_unavailable',
      `No device here computes in ${numberType}; the CPU has ${devices.cpu.numberTypes.join(' and ')}. ${reasons}`,
    );
  }
  throw new EidosError('device_unavailable', `No device works here. ${reasons}`);
}

/** Throws `invalid_option` for a name that is no device. */
export function parseDevice(name: string): Device | 'auto' {
  if (name === 'auto' || Object.hasOwn(devices, name)) return name as Device | 'auto';
  const known = ['auto', ...Object.keys(devices)].join(', ');
  throw new EidosError('invalid_option', `There is no device '${name}'; known are ${known}.`);
}

/** Throws `dtype_unavailable` where a device does not compute in a number type. */
export function requireNumberType(device: Device, numberType: NumberType): void {
  const { numberTypes, title } = devices[device];
  if (numberTypes.includes(numberType)) return;
  const others = (Object.keys(devices) as Device[]).filter((other) =>
    devices[other].numberTypes.includes(numberType),
  );
  const elsewhere = others.length === 0 ? 'no device has it' : `it is there on ${others.join(', ')}`;
  throw new EidosError(
    'dtype_unavailable',
    `dtype '${numberType}' is not available on the ${title} device; use ${numberTypes.join(' or ')} (${elsewhere}).`,
  );
}

function unavailable(device: Device, reason: string): EidosError {
  return new EidosError(
    'device_unavailable',
    `Device '${device}' is not available: ${reason} Use device 'auto' for the best one that works here, or 'cpu'.`,
  );
}

const tried = new Map<Device, Promise<string | undefined>>();

/** Why a device does not work here, in full sentences; undefined where it does. */
function reasonAgainst(device: Device): Promise<string | undefined> {
  let reason = tried.get(device);
  if (reason === undefined) {
    reason = tryDevice(device);
    tried.set(device, reason);
  }
  return reason;
}

async function tryDevice(device: Device): Promise<string | undefined> {
  const { systems, title, remedy } = devices[device];
  if (!systems.includes(system))
    return `onnxruntime has no ${title} for ${system}, only for ${systems.join(', ')}. ${remedy}`;
  const failure = await probeInProcess(device);
  return failure === undefined ? undefined : `${failure.replace(/[.\s]*$/, '.')} ${remedy}`;
}
