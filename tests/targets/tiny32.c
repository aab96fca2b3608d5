/* SPDX-License-Identifier: MIT */
/* A 32-bit program without any library (gcc -m32 -nostdlib -static -ffreestanding): says "ready",
 * and sleeps for 20 seconds. */
struct old_timespec {
	long sec, nsec;
};

static long call(long nr, long a, long b, long c)
{
	long ret;

	__asm__ volatile("int $0x80" : "=a"(ret) : "a"(nr), "b"(a), "c"(b), "d"(c) : "memory");
	return ret;
}

void _start(void);

void _start(void)
{
	static const char ready[] = "ready\n";
	static const struct old_timespec time = {20, 0};

	call(4, 1, (long)ready, sizeof(ready) - 1); /* write */
	call(162, (long)&time, 0, 0);               /* nanosleep */
	for (;;)
		call(1, 0, 0, 0); /* exit */
}
