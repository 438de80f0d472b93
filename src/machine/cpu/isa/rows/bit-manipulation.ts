import { parseRows } from '../row.ts';

/** BMI1, BMI2, ADX, LZCNT, MOVBE and CRC32: SDM Vol. 1, 5.1.16 and 5.1.17, and Vol. 2. */
export const bitManipulationRows = parseRows(`
F3 0F BC /r | tzcnt Gv Ev |
F3 0F BD /r | lzcnt Gv Ev |
VEX.LZ.0F38 F2 /r | andn Gy By Ey |
VEX.LZ.0F38 F3 /1 | blsr By Ey |
VEX.LZ.0F38 F3 /2 | blsmsk By Ey |
VEX.LZ.0F38 F3 /3 | blsi By Ey |
VEX.LZ.0F38 F7 /r | bextr Gy Ey By |
VEX.LZ.0F38 F5 /r | bzhi Gy Ey By |
VEX.LZ.F3.0F38 F5 /r | pext Gy By Ey |
VEX.LZ.F2.0F38 F5 /r | pdep Gy By Ey |
VEX.LZ.F2.0F38 F6 /r | mulx Gy By Ey |
VEX.LZ.66.0F38 F7 /r | shlx Gy Ey By |
VEX.LZ.F3.0F38 F7 /r | sarx Gy Ey By |
VEX.LZ.F2.0F38 F7 /r | shrx Gy Ey By |
VEX.LZ.F2.0F3A F0 /r | rorx Gy Ey Ib |
66 0F 38 F6 /r | adcx Gy Ey |
F3 0F 38 F6 /r | adox Gy Ey |
NFx 0F 38 F0 /rm | movbe Gv Ev |
NFx 0F 38 F1 /rm | movbe Ev Gv |
F2 0F 38 F0 /r | crc32 Gd Eb |
F2 0F 38 F1 /r | crc32 Gd Ev |
`);
