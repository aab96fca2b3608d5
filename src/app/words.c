/* SPDX-License-Identifier: MIT */
#include "app/words.h"

#include "base/mem.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

void words_free(char **words)
{
	for (char **w = words; w && *w; w++)
		free(*w);
	free(words);
}

/* Copies one word from *text, which ends behind it; false for an open quote. */
static bool one_word(const char **text, char *out)
{
	char quote = '\0';
	const char *s = *text;
	for (; *s && (quote || !isspace((unsigned char)*s)); s++) {
		if (*s == '\\' && s[1] && (!quote || (quote == '"' && strchr("$`\"\\", s[1]))))
			*out++ = *++s;
		else if (quote && *s == quote)
			quote = '\0';
		else if (!quote && (*s == '\'' || *s == '"'))
			quote = *s;
		else
			*out++ = *s;
	}
	*out = '\0';
	*text = s;
	return !quote;
}

char **words_split(const char *text, size_t *count, struct err *e)
{
	size_t len = 0, cap = 0;
	char **words = NULL;
	bool closed = true;
	const char *whole = text;
	for (;;) {
		text += strspn(text, " \t\r\n\v\f");
		MEM_GROW(words, len, cap);
		words[len] = NULL;
		if (!*text || !closed)
			break;
		words[len] = mem_alloc(strlen(text) + 1);
		closed = one_word(&text, words[len++]);
	}
	*count = len;
	if (closed)
		return words;
	words_free(words);
	err_set(e, "an open quote in \"%s\"", whole);
	return NULL;
}
