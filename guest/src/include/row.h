/* Evidence of a boot: one line on COM1 for each row of the boot sequence. */
#pragma once
#include "types.h"

void row(const char *name);
void kprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

#define ROW() row(__func__)
