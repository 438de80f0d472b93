import { Guids } from '../guids.ts';
import { vendorHardware } from '../handles/device-path.ts';

/** Device path of `fs0:`. */
export const hostDirectoryNodes = [vendorHardware(Guids.hostDirectory)];
