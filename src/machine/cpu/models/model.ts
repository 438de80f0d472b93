/** A CPU model is data: what CPUID says and what VMX offers follow from it. */
export interface CpuModel {
  readonly name: string;
  /** Shown by `--cpu help`. */
  readonly description: string;
  readonly vendor: string;
  readonly brand: string;
  readonly family: number;
  readonly model: number;
  readonly stepping: number;
  /** Highest basic CPUID leaf. */
  readonly maxLeaf: number;
  /** Physical-address width in bits. */
  readonly physicalBits: number;
  /** Features offered, by their SDM names in lower case: `nx`, `pcid`, `pdpe1gb`, `rdtscp`, `smep`... */
  readonly features: ReadonlySet<string>;
  readonly perfmon: PerfmonModel;
  readonly vmx: VmxModel;
}

/** Architectural performance monitoring: SDM Vol. 3, 20.2. */
export interface PerfmonModel {
  readonly version: 2 | 3 | 4;
  /** General counters of one logical processor where two share a core. */
  readonly counters: number;
  /** Bits of a counter. */
  readonly width: number;
}

/** What the VMX capability MSRs are derived from. */
export interface VmxModel {
  /** Controls offered beyond the default1 ones, by SDM name in lower case with dashes: `ept`, `vpid`, `unrestricted-guest`. */
  readonly features: ReadonlySet<string>;
}
