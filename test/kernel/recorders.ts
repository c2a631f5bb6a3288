/** The rounds that record the whole work with each recorder: with the usual disk, on SCSI, through bounce buffers. */
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {defaultOptions, type Recorder} from '../../src/record/options.js';
import {recordingScript} from '../../src/record/script.js';
import {checkRecording, guestFile} from './check.js';
import {testModule} from './image.js';
import type {Kernel} from './packages.js';
import {READS_PER_SECOND, runGuest, type Machine} from './qemu.js';

/** A kind of machine that the work is recorded on, by the name of its round. */
export interface Variant {
  name: string;
  machine?: Machine;
  /** groups of events that the recording of tracefs has beside its own */
  beside?: string;
}

export const USUAL: Variant = {name: 'record'};

/**
 * A SCSI host that makes its mappings by the DMA API, as real ones do: virtio does so behind an IOMMU for all it knows
 * (VIRTIO_F_ACCESS_PLATFORM). The recorder leaves SCSI's own events out, since SCSI drivers unmap always.
 */
export const SCSI: readonly Variant[] = [
  {
    name: 'scsi',
    machine: {
      disk: [
        ...['-device', 'virtio-scsi-pci,iommu_platform=on,disable-legacy=on,id=scsi'],
        ...['-device', 'scsi-hd,drive=work,bus=scsi.0'],
      ],
    },
    beside: 'scsi',
  },
  {
    name: 'megasas',
    machine: {disk: ['-device', 'megasas-gen2,id=scsi', '-device', 'scsi-hd,drive=work,bus=scsi.0']},
    beside: 'scsi',
  },
];

/** Every mapping goes through a buffer below 4 GiB (Documentation/core-api/swiotlb.rst). */
export const BOUNCE: Variant = {name: 'bounce', machine: {append: 'swiotlb=force'}};

/** Reads that fail are given back by the driver and issued again (nvme_retry_req(), drivers/nvme/host/core.c). */
export const RETRY: Variant = {name: 'retry', machine: {failingRead: 7}};

/** One guest that records with each recorder in turn. */
export async function testRecorders(
  kernel: Kernel,
  recorders: readonly Recorder[],
  tools: string | undefined,
  {name, machine, beside}: Variant = USUAL,
): Promise<void> {
  const guest = await runGuest({
    kernel,
    name: `${name}-${kernel.target}`,
    files: {
      'scenario.sh': `RECORDERS='${recorders.join(' ')}'\nBESIDE='${beside ?? ''}'\n${guestFile('record.sh')}`,
      'common.sh': guestFile('common.sh'),
      ...Object.fromEntries(
        recorders.map((recorder) => [`record-${recorder}.sh`, recordingScript(defaultOptions(recorder, 'test'))]),
      ),
    },
    readsPerSecond: READS_PER_SECOND,
    patience: 600 + 600 * recorders.length,
    ...(machine === undefined ? {} : {machine}),
    ...(tools === undefined ? {} : {tools}),
  });
  console.log(`${kernel.release}: ${name}: recorded in ${guest.seconds.toFixed(0)} s`);
  const log = readFileSync(join(guest.out, 'scenario.log'), 'utf8');
  for (const recorder of recorders) {
    const part = typeof testModule(kernel) === 'string' ? 'all' : 'right';
    checkRecording({kernel, round: name, out: guest.out, log}, recorder, {part});
  }
}
