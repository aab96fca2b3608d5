/* SPDX-License-Identifier: MIT */
/* plugin [SECONDS [DELAY [FILE]]]: grows, and in the middle of the time loads FILE (plugin_mod.so
 * from its own folder), through which it then grows as well. */
#define _GNU_SOURCE
#include "truth.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HOST   16.0 /* MB/s */
#define MODULE 32.0

typedef void plugin_grow_fn(unsigned char *base, size_t pages, uint64_t ns);

TRUTH_FRAME void host_grow(size_t pages, uint64_t ns);

static struct arena host, module;

void host_grow(size_t pages, uint64_t ns)
{
	arena_grow(&host, pages, ns);
	TRUTH_KEEP();
}

static plugin_grow_fn *load(const char *path)
{
	void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL), *symbol;
	plugin_grow_fn *fn;

	if (lib == NULL)
		truth_die(dlerror());
	symbol = dlsym(lib, "plugin_grow");
	if (symbol == NULL)
		truth_die("no plugin_grow in there");
	memcpy(&fn, &symbol, sizeof(fn));
	return fn;
}

static void beside_me(char *out, size_t size)
{
	char exe[4096];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	char *slash;

	if (n <= 0)
		truth_die("no /proc/self/exe");
	exe[n] = '\0';
	slash = strrchr(exe, '/');
	*slash = '\0';
	if ((size_t)snprintf(out, size, "%s/plugin_mod.so", exe) >= size)
		truth_die("path too long");
}

static void use_module(plugin_grow_fn *fn, size_t pages)
{
	if (module.size - module.used < pages * TRUTH_PAGE)
		truth_die("arena full");
	fn(module.base + module.used, pages, 2 * TRUTH_MS);
	module.used += pages * TRUTH_PAGE;
	truth_add(module.id, pages * TRUTH_PAGE);
}

int main(int argc, char **argv)
{
	struct truth_args args = truth_begin(argc, argv);
	size_t host_pages = arena_pages(HOST, 6 * TRUTH_MS);
	size_t module_pages = arena_pages(MODULE, 6 * TRUTH_MS);
	plugin_grow_fn *fn = NULL;
	char path[8192];
	uint64_t end;

	beside_me(path, sizeof(path));
	arena_open(&host, "host_grow", arena_room(&args, HOST));
	arena_open(&module, "plugin_grow", arena_room(&args, MODULE));
	end = truth_ready(&args);
	while (truth_now() < end) {
		host_grow(host_pages, 2 * TRUTH_MS);
		if (fn == NULL && truth_now() + args.grow_ns / 2 > end)
			fn = load(truth_text(&args, 0, path));
		if (fn != NULL)
			use_module(fn, module_pages);
		else
			truth_sleep(2 * TRUTH_MS);
		truth_sleep(2 * TRUTH_MS);
	}
	return truth_end();
}
