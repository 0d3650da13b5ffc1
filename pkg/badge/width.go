package badge

// Widths of characters in Verdana at 11 px, in hundredths of a pixel, as measured.
var (
	asciiWidths = [...]uint16{ // from the blank to ~
		387, 433, 505, 900, 699, 1184, 799, 295, 500, 500, 699, 900, 400, 500, 400, 500,
		699, 699, 699, 699, 699, 699, 699, 699, 699, 699, 500, 500, 900, 900, 900, 600,
		1100, 752, 754, 768, 848, 696, 632, 853, 827, 463, 500, 762, 612, 927, 823, 866,
		663, 866, 765, 752, 678, 805, 752, 1088, 754, 677, 754, 500, 500, 500, 900, 699,
		699, 661, 685, 573, 685, 655, 387, 685, 696, 302, 379, 651, 302, 1070, 696, 668,
		685, 685, 469, 573, 433, 696, 651, 900, 651, 651, 578, 698, 500, 698, 900,
	}
	latinWidths = [...]uint16{ // from ¡ to ÿ
		433, 699, 699, 699, 699, 500, 699, 699, 1100, 600, 709, 900, 0, 1100, 699, 596,
		900, 596, 596, 699, 706, 699, 400, 699, 596, 600, 709, 1100, 1100, 1100, 600, 752,
		752, 752, 752, 752, 752, 1083, 768, 696, 696, 696, 696, 463, 463, 463, 463, 853,
		823, 866, 866, 866, 866, 866, 900, 866, 805, 805, 805, 805, 677, 666, 682, 661,
		661, 661, 661, 661, 661, 1051, 573, 655, 655, 655, 655, 302, 302, 302, 302, 673,
		696, 668, 668, 668, 668, 668, 900, 668, 696, 696, 696, 696, 651, 685, 1070,
	}
)

// Estimates for other characters.
const (
	narrowWidth = 700  // below U+2100: scripts of Europe and the Near East, punctuation
	wideWidth   = 1070 // above: Chinese, Korean, emoji
)

// width returns the width of text in pixels, rounded to an odd number. Text of an odd
// width is centered on half a pixel, which keeps its letters sharp.
func width(text string) int {
	sum := 0
	for _, r := range text {
		switch {
		case r < ' ':
		case r <= '~':
			sum += int(asciiWidths[r-' '])
		case '¡' <= r && r <= 'ÿ':
			sum += int(latinWidths[r-'¡'])
		case r < 0x2100:
			sum += narrowWidth
		default:
			sum += wideWidth
		}
	}
	return sum/100 | 1
}
