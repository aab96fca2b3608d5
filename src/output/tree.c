/* SPDX-License-Identifier: MIT */
#include "output/text.h"

#include "base/text.h"
#include "profile/tree.h"

#define LEAST_SHARE 0.005
#define MAX_INDENT  60

static void write_node(FILE *f, const struct stack_table *stacks, const struct tree *t, uint32_t id,
                       unsigned depth)
{
	const struct tree_node *n = &t->nodes[id];
	char total[TEXT_BYTES], self[TEXT_BYTES], name[400];
	text_printable(stack_table_get_frame(stacks, n->frame)->function, name, sizeof name);
	fprintf(f, "%12s %12s  %5.1f %%  %*s%s\n", text_bytes((int64_t)n->total, total),
	        n->self ? text_bytes((int64_t)n->self, self) : "",
	        100.0 * (double)n->total / (double)t->nodes[0].total,
	        (int)(depth < MAX_INDENT ? depth : MAX_INDENT), "", name);
}

/* Depth first, without recursion: a stack may be thousands of frames deep. */
void text_write_tree(FILE *f, const struct output_target *target)
{
	const struct stack_table *stacks = profile_stacks(target->profile);
	struct attribution a =
	        profile_attribute(target->profile, PROFILE_SINCE_START, target->kinds);
	struct tree *t = tree_build(stacks, &a);
	uint64_t least = (uint64_t)((double)t->nodes[0].total * LEAST_SHARE);
	fprintf(f, "%12s %12s  %7s  %s (pid %d)\n", "TOTAL", "SELF", "SHARE", target->command,
	        (int)target->pid);
	uint32_t at = t->nodes[0].first_child;
	unsigned depth = 0;
	while (at != TREE_NONE) {
		const struct tree_node *n = &t->nodes[at];
		bool shown = n->total > least;
		if (shown)
			write_node(f, stacks, t, at, depth);
		if (shown && n->first_child != TREE_NONE) {
			at = n->first_child;
			depth++;
			continue;
		}
		/* siblings come largest first: once one is too small, so is the rest */
		while (at != TREE_NONE && (t->nodes[at].next == TREE_NONE || !shown)) {
			at = t->nodes[at].parent;
			if (at == 0 || at == TREE_NONE) {
				at = TREE_NONE;
				break;
			}
			depth--;
			shown = true;
		}
		if (at != TREE_NONE)
			at = t->nodes[at].next;
	}
	tree_free(t);
	attribution_free(&a);
}
