/* SPDX-License-Identifier: MIT */
/* cppgrow [SECONDS [DELAY]]: C++ that grows through templates, the standard library and inlined
 * helpers. What each of the four functions made resident is told by the thread's page faults. */
#include "truth.h"

#include <cstdint>
#include <cstring>
#include <malloc.h>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace shop
{

struct Order {
	uint64_t id;
	double price;
	char note[48];
};

/* Always part of its caller, so that it is there as an inlined frame only. */
template <typename T>
static inline __attribute__((always_inline)) void append_inlined(std::vector<T> &v, const T &x)
{
	v.push_back(x);
	if (v.size() % (1024 / sizeof(T)) == 0)
		truth_spin_until(truth_now() + 20000);
}

static inline __attribute__((always_inline)) void scribble_inlined(char *p, size_t len)
{
	for (size_t i = 0; i < len; i += 64)
		*(volatile char *)(p + i) = static_cast<char>(i | 1);
	truth_spin_until(truth_now() + 60000);
}

/* Vectors that are kept. Without room from the start, growing leaves pieces behind, which are used
 * again by whoever comes next. */
template <typename T>
TRUTH_FRAME void grow_vector(std::vector<std::vector<T>> &keep, size_t count, size_t room)
{
	std::vector<T> v;

	v.reserve(room);
	for (size_t i = 0; i < count; i++)
		append_inlined(v, T());
	keep.push_back(std::move(v));
	TRUTH_KEEP();
}

TRUTH_FRAME void grow_map(std::map<uint64_t, std::string> &m, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t key = m.size() * UINT64_C(0x9e3779b97f4a7c15);

		m.emplace(key, std::string(400, 'x'));
		truth_spin_until(truth_now() + 3000);
	}
	TRUTH_KEEP();
}

class Cache
{
      public:
	TRUTH_FRAME void grow_blocks(size_t count)
	{
		for (size_t i = 0; i < count; i++) {
			blocks.emplace_back(new char[block_size]);
			scribble_inlined(blocks.back().get(), block_size);
		}
		TRUTH_KEEP();
	}

      private:
	static constexpr size_t block_size = 6000;
	std::vector<std::unique_ptr<char[]>> blocks;
};

} // namespace shop

template <typename F> static void measured(int id, F f)
{
	uint64_t before = truth_faulted();

	f();
	truth_add(id, truth_faulted() - before);
}

static void run(const struct truth_args *args)
{
	int orders = truth_function("shop::grow_vector<shop::Order>");
	int numbers = truth_function("shop::grow_vector<int>");
	int map = truth_function("shop::grow_map");
	int blocks = truth_function("shop::Cache::grow_blocks");
	std::vector<std::vector<shop::Order>> order_lists;
	std::vector<std::vector<int>> number_lists;
	std::map<uint64_t, std::string> names;
	shop::Cache cache;
	uint64_t end = truth_ready(args);

	while (truth_now() < end) {
		measured(orders, [&] { shop::grow_vector(order_lists, 512, 0); });
		measured(numbers, [&] { shop::grow_vector(number_lists, 16000, 16000); });
		measured(map, [&] { shop::grow_map(names, 160); });
		measured(blocks, [&] { cache.grow_blocks(8); });
		truth_sleep(2 * TRUTH_MS);
	}
	exit(truth_end());
}

int main(int argc, char **argv)
{
	struct truth_args args = truth_begin(argc, argv);

	/* Everything from the heap, nothing given back: each fault is growth that stays. */
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	run(&args);
	return 0;
}
