package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"spamreport-milter/queue"
)

// maxIDs bounds what ranges can name: a digit too many must not fill the memory.
const maxIDs = 1_000_000

// parseIDs reads numbers and ranges, each number once and in the order given.
func parseIDs(args []string) ([]int64, error) {
	var ids []int64
	for _, arg := range args {
		from, to, err := parseRange(arg)
		if err != nil {
			return nil, err
		}
		if to-from >= maxIDs-int64(len(ids)) {
			return nil, usage("more than %d complaints are named: do it in parts, or by a filter", maxIDs)
		}
		for id := from; id <= to; id++ {
			ids = append(ids, id)
		}
	}
	seen := make(map[int64]bool, len(ids))
	return slices.DeleteFunc(ids, func(id int64) bool {
		again := seen[id]
		seen[id] = true
		return again
	}), nil
}

func parseRange(arg string) (from, to int64, err error) {
	first, last, isRange := strings.Cut(arg, "-")
	if !isRange {
		last = first
	}
	from, err = strconv.ParseInt(first, 10, 64)
	if err == nil {
		to, err = strconv.ParseInt(last, 10, 64)
	}
	if err != nil || from < 1 || to < from {
		return 0, 0, usage("%q is neither the number of a complaint nor a range like 17-25", arg)
	}
	return from, to, nil
}

// ranges writes numbers shortly; a long list ends in how many there are more.
func ranges(ids []int64) string {
	const most = 20
	ids = slices.Sorted(slices.Values(ids))
	var parts []string
	for i := 0; i < len(ids); {
		end := i + 1
		for end < len(ids) && ids[end] == ids[end-1]+1 {
			end++
		}
		if len(parts) == most {
			return strings.Join(parts, ", ") + fmt.Sprintf(" and %d more", len(ids)-i)
		}
		part := fmt.Sprint(ids[i])
		if end-i > 1 {
			part += fmt.Sprintf("-%d", ids[end-1])
		}
		parts = append(parts, part)
		i = end
	}
	return strings.Join(parts, ", ")
}

// reason is what a refusal says without the complaint's number, so that equal ones
// are one. A hint in it that names the number stays as it is.
func reason(r queue.Refusal) string {
	return strings.TrimPrefix(r.Err.Error(), fmt.Sprintf("complaint %d ", r.ID))
}
