#pragma once
#include "types.h"

void *memcpy(void *to, const void *from, unsigned long n);
void *memset(void *to, int value, unsigned long n);
int memcmp(const void *a, const void *b, unsigned long n);
