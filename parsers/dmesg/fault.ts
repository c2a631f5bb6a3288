/**
 * What the drivers of IOMMUs say in the kernel's log of an access that they stopped:
 *
 *     DMAR: [DMA Write NO_PASID] Request device [00:03.0] fault addr 0xfffff000 [fault reason 0x05] PTE Write access is not set
 *     DMAR: [DMA Read] Request device [03:00.0] PASID ffffffff fault addr ffe65000 [fault reason 06] ...             to 5.10
 *     nicdrv 0000:05:00.0: AMD-Vi: Event logged [IO_PAGE_FAULT domain=0x000a address=0x91482640 flags=0x0020]
 *     AMD-Vi: Event logged [IO_PAGE_FAULT device=05:00.0 domain=0x000a address=0x91482640 flags=0x0000]
 *     arm-smmu 15000000.iommu: Unhandled context fault: fsr=0x402, iova=0xfffff000, fsynr=0x10, cbfrsynra=0x880, cb=3
 *     arm-smmu-v3 arm-smmu-v3.0.auto: event: F_TRANSLATION client: 0000:01:00.0 sid: 0x100 ssid: 0x0 iova: 0xfffff000 ipa: 0x0
 *
 * (drivers/iommu/intel/dmar.c, amd/iommu.c, arm/arm-smmu/arm-smmu.c, arm/arm-smmu-v3/arm-smmu-v3.c)
 */

import {Access} from '../../src/events/kinds.js';

export interface FaultLine {
  address: number;
  /** bits of Access; -1 not told */
  access: number;
  /** as printed, from `start` to `end` of the text; both 0 where none is named */
  deviceStart: number;
  deviceEnd: number;
}

const DMAR =
  /\[DMA (Read|Write)[^\]]{0,40}\] Request device \[([0-9a-f:.]{7,12})\](?: PASID [0-9a-f]{1,8})? fault addr (?:0x)?([0-9a-f]{1,16})\b/;
const AMD =
  /AMD-Vi: Event logged \[IO_PAGE_FAULT (?:device=([0-9a-f:.]{7,12}) )?domain=0x[0-9a-f]{1,8} address=0x([0-9a-f]{1,16}) flags=0x([0-9a-f]{1,8})\]/;
const AMD_DEVICE = /(?:^| )([0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]): AMD-Vi: /;
const SMMU = /Unhandled context fault: fsr=0x[0-9a-f]{1,8}, iova=0x([0-9a-f]{1,16}), fsynr=0x([0-9a-f]{1,8})/;
const SMMU3 =
  /event: F_TRANSLATION client: (\S{1,64}) sid: 0x[0-9a-f]{1,8} ssid: 0x[0-9a-f]{1,8} iova: 0x([0-9a-f]{1,16})/;

/** AMD: EVENT_FLAG_PR, EVENT_FLAG_RW (drivers/iommu/amd/amd_iommu_types.h) */
const AMD_PRESENT = 0x10;
const AMD_WRITE = 0x20;
/** ARM: FSYNR0_WNR (drivers/iommu/arm/arm-smmu/arm-smmu.h) */
const SMMU_WRITE = 0x10;

/** The fault that a line of the log tells of; undefined for any other line. */
export function faultOf(line: string): FaultLine | undefined {
  const dmar = DMAR.exec(line);
  if (dmar) return fault(line, dmar[3]!, dmar[1] === 'Write' ? Access.write : 0, dmar[2]);
  const amd = AMD.exec(line);
  if (amd) {
    const flags = Number.parseInt(amd[3]!, 16);
    const access = ((flags & AMD_WRITE) === 0 ? 0 : Access.write) | ((flags & AMD_PRESENT) === 0 ? 0 : Access.present);
    return fault(line, amd[2]!, access, amd[1] ?? AMD_DEVICE.exec(line)?.[1]);
  }
  const smmu = SMMU.exec(line);
  if (smmu)
    return fault(line, smmu[1]!, (Number.parseInt(smmu[2]!, 16) & SMMU_WRITE) === 0 ? 0 : Access.write, undefined);
  const smmu3 = SMMU3.exec(line);
  return smmu3 ? fault(line, smmu3[2]!, -1, smmu3[1]) : undefined;
}

function fault(line: string, address: string, access: number, device: string | undefined): FaultLine {
  const at = device === undefined ? 0 : line.indexOf(device);
  return {
    address: Number.parseInt(address, 16),
    access,
    deviceStart: at,
    deviceEnd: device === undefined ? 0 : at + device.length,
  };
}
