"""Small tasks with right programs in C++, C and JavaScript, and changes (old text, new text) that make each wrong."""

from dataclasses import dataclass, field

from r1flow.components.core.tests import CodeTests, ProgramLanguage, StdioCase

JS = "const t = require('fs').readFileSync(0, 'utf8').trim().split(/\\s+/);\n"


@dataclass(frozen=True)
class Task:
    name: str
    cases: tuple[tuple[str, str], ...]
    right: dict[ProgramLanguage, str]
    mistakes: dict[ProgramLanguage, tuple[tuple[str, str], ...]] = field(default_factory=dict)

    def tests(self, language: ProgramLanguage) -> CodeTests:
        stdio = tuple(StdioCase(stdin=given, stdout=wanted) for given, wanted in self.cases)
        return CodeTests(language=language, stdio=stdio)


TASKS = (
    Task(
        "sum",
        (("3\n1 2 3\n", "6\n"), ("1\n-7\n", "-7\n"), ("2\n3000000000 1\n", "3000000001\n"), ("0\n", "0\n")),
        {
            "cpp": """#include <iostream>
int main() { long long n, x, s = 0; std::cin >> n; while (n-- > 0) { std::cin >> x; s += x; } std::cout << s << "\\n"; }""",
            "c": """#include <stdio.h>
int main(void) { long long n, x, s = 0; scanf("%lld", &n);
  while (n-- > 0) { scanf("%lld", &x); s += x; } printf("%lld\\n", s); return 0; }""",
            "javascript": JS + "let s = 0; for (let i = 1; i <= +t[0]; i++) s += +t[i]; console.log(s);",
        },
        {
            "cpp": (("s = 0", "s = 1"), ("long long n, x, s", "int n, x, s")),
            "c": (("s += x", "s -= x"), ("n-- > 0", "--n > 0")),
            "javascript": (("s += +t[i]", "s += t[i]"), ("i <= +t[0]", "i < +t[0]")),
        },
    ),
    Task(
        "gcd",
        (("12 18", "6 36"), ("7 5", "1 35"), ("10 10", "10 10")),
        {
            "cpp": """#include <cstdio>
#include <numeric>
int main() { long a, b; scanf("%ld%ld", &a, &b); printf("%ld %ld\\n", std::gcd(a, b), std::lcm(a, b)); }""",
            "c": """#include <stdio.h>
int main(void) { long a, b; scanf("%ld%ld", &a, &b); long x = a, y = b;
  while (y) { long r = x % y; x = y; y = r; } printf("%ld %ld", x, a / x * b); }""",
            "javascript": JS
            + "let [a, b] = t.map(Number), x = a, y = b; while (y) [x, y] = [y, x % y]; console.log(x, a / x * b);",
        },
        {
            "cpp": (("std::lcm(a, b)", "a * b"), ("%ld %ld", "%ld, %ld")),
            "c": (("a / x * b", "a * b"), ("y = r", "y = 0")),
            "javascript": (("a / x * b", "a * b"), ("console.log(x,", "console.log(y,")),
        },
    ),
    Task(
        "primes",
        (("10", "2\n3\n5\n7\n"), ("2", "2\n"), ("25", "2\n3\n5\n7\n11\n13\n17\n19\n23\n")),
        {
            "cpp": """#include <cstdio>
int main() { int n; scanf("%d", &n);
  for (int i = 2; i <= n; i++) { bool p = true; for (int d = 2; d * d <= i; d++) if (i % d == 0) p = false;
    if (p) printf("%d\\n", i); } }""",
            "c": """#include <stdio.h>
int main(void) { int n; scanf("%d", &n);
  for (int i = 2; i <= n; i++) { int p = 1; for (int d = 2; d * d <= i; d++) if (i % d == 0) p = 0;
    if (p) printf("%d\\n", i); } }""",
            "javascript": JS
            + "for (let i = 2; i <= +t[0]; i++) { let p = true; for (let d = 2; d * d <= i; d++) if (i % d == 0) p = false;"
            + " if (p) console.log(i); }",
        },
        {
            "cpp": (("d * d <= i", "d * d < i"), ("i <= n", "i <= n && i < 20")),
            "c": (("d * d <= i", "d * d < i"), ("i = 2; i", "i = 1; i")),
            "javascript": (("d * d <= i", "d * d < i"), ("console.log(i)", "process.stdout.write(i + ' ')")),
        },
    ),
    Task(
        "reverse words",
        (("the quick fox", "fox quick the"), ("one", "one"), ("a b c d", "d c b a")),
        {
            "cpp": """#include <iostream>
int main() { std::string w, out; while (std::cin >> w) out = out.empty() ? w : w + " " + out; std::cout << out; }""",
            "c": """#include <stdio.h>
int main(void) { char w[64][64]; int n = 0; while (n < 64 && scanf("%63s", w[n]) == 1) n++;
  while (n-- > 0) printf("%s%s", w[n], n ? " " : "\\n"); }""",
            "javascript": JS + "console.log(t.reverse().join(' '));",
        },
        {
            "cpp": (('w + " " + out', 'out + " " + w'), ('w + " " + out', 'w + "  " + out')),
            "c": (("n-- > 0", "n-- > 1"), ('n ? " "', 'n ? ""')),
            "javascript": ((".reverse()", ""), ("join(' ')", "join()")),
        },
    ),
    Task(
        "fibonacci",
        (("1", "1"), ("10", "55"), ("90", "2880067194370816120")),
        {
            "cpp": """#include <iostream>
int main() { int n; std::cin >> n; long long a = 0, b = 1; while (n--) { long long c = a + b; a = b; b = c; }
  std::cout << a; }""",
            "c": """#include <stdio.h>
int main(void) { int n; scanf("%d", &n); long long a = 0, b = 1;
  while (n--) { long long c = a + b; a = b; b = c; } printf("%lld\\n", a); }""",
            "javascript": JS
            + "let a = 0n, b = 1n; for (let i = 0; i < +t[0]; i++) [a, b] = [b, a + b]; console.log(String(a));",
        },
        {
            "cpp": (("<< a;", "<< b;"), ("long long a = 0, b", "float a = 0, b")),
            "c": (('"%lld\\n", a', '"%d\\n", (int)a'), ("a = 0, b = 1", "a = 1, b = 1")),
            "javascript": (("0n, b = 1n", "0, b = 1"), ("i < +t[0]", "i <= +t[0]")),
        },
    ),
    Task(
        "brackets",
        (("([]{})", "yes"), ("(]", "no"), ("((", "no"), ("){", "no")),
        {
            "cpp": """#include <iostream>
int main() { std::string s, st; std::cin >> s; bool ok = true;
  for (char c : s) { if (c == '(') st += ')'; else if (c == '[') st += ']'; else if (c == '{') st += '}';
    else if (st.empty() || st.back() != c) { ok = false; break; } else st.pop_back(); }
  std::cout << (ok && st.empty() ? "yes" : "no") << std::endl; }""",
            "c": """#include <stdio.h>
#include <string.h>
int main(void) { char s[256], st[256]; int n = 0, ok = 1; scanf("%255s", s);
  for (char *c = s; *c && ok; c++) { char *at = strchr("([{", *c);
    if (at) st[n++] = ")]}"[at - strchr("([{", *c) + (*c == '[') + 2 * (*c == '{')];
    else if (n == 0 || st[--n] != *c) ok = 0; }
  puts(ok && n == 0 ? "yes" : "no"); }""",
            "javascript": JS
            + "const m = {'(': ')', '[': ']', '{': '}'}, st = []; let ok = true;\n"
            + "for (const c of t[0]) { if (m[c]) st.push(m[c]); else if (st.pop() !== c) ok = false; }\n"
            + "console.log(ok && st.length === 0 ? 'yes' : 'no');",
        },
        {
            "cpp": (("ok && st.empty()", "ok"), ("st.back() != c", "false")),
            "c": (("ok && n == 0", "ok"), ('"yes"', '"Yes"')),
            "javascript": (("ok && st.length === 0", "ok"), ("ok = false", "ok = ok")),
        },
    ),
    Task(
        "transpose",
        (("2 3\n1 2 3\n4 5 6\n", "1 4\n2 5\n3 6\n"), ("1 1\n9\n", "9\n")),
        {
            "cpp": """#include <iostream>
int main() { int r, c, m[9][9]; std::cin >> r >> c;
  for (int i = 0; i < r; i++) for (int j = 0; j < c; j++) std::cin >> m[i][j];
  for (int j = 0; j < c; j++) { for (int i = 0; i < r; i++) std::cout << m[i][j] << " "; std::cout << "\\n"; } }""",
            "c": """#include <stdio.h>
int main(void) { int r, c, m[9][9]; scanf("%d%d", &r, &c);
  for (int i = 0; i < r; i++) for (int j = 0; j < c; j++) scanf("%d", &m[i][j]);
  for (int j = 0; j < c; j++) for (int i = 0; i < r; i++) printf("%d%c", m[i][j], i == r - 1 ? '\\n' : ' '); }""",
            "javascript": JS
            + "const [r, c] = t.map(Number); for (let j = 0; j < c; j++) {\n"
            + "  const line = []; for (let i = 0; i < r; i++) line.push(t[2 + i * c + j]); console.log(line.join(' ')); }",
        },
        {
            "cpp": (("<< m[i][j]", "<< m[j][i]"), ('<< "\\n"', '<< ""')),
            "c": (
                ('"%d%c", m[i][j]', '"%d%c", m[j][i]'),
                ("j < c; j++) for (int i = 0; i < r; i++) p", "j < 1; j++) for (int i = 0; i < r; i++) p"),
            ),
            "javascript": (("i * c + j", "i * r + j"), ("j < c", "j < c - 1")),
        },
    ),
    Task(
        "longest rise",
        (("6\n10 9 2 5 3 7", "3"), ("3\n1 1 1", "1"), ("5\n1 2 3 4 5", "5"), ("4\n4 1 2 3", "3"), ("4\n1 2 3 0", "3")),
        {
            "cpp": """#include <algorithm>
#include <iostream>
#include <vector>
int main() { int n, x; std::vector<int> v; std::cin >> n;
  while (n--) { std::cin >> x; auto it = std::lower_bound(v.begin(), v.end(), x);
    if (it == v.end()) v.push_back(x); else *it = x; }
  std::cout << v.size(); }""",
            "c": """#include <stdio.h>
int main(void) { int n, a[99], l[99], best = 0; scanf("%d", &n);
  for (int i = 0; i < n; i++) { scanf("%d", a + i); l[i] = 1;
    for (int j = 0; j < i; j++) if (a[j] < a[i] && l[j] >= l[i]) l[i] = l[j] + 1;
    if (l[i] > best) best = l[i]; }
  printf("%d", best); }""",
            "javascript": JS
            + "const a = t.slice(1).map(Number), l = a.map(() => 1);\n"
            + "for (let i = 0; i < a.length; i++) for (let j = 0; j < i; j++) if (a[j] < a[i]) l[i] = Math.max(l[i], l[j] + 1);\n"
            + "console.log(Math.max(...l));",
        },
        {
            "cpp": (("lower_bound", "upper_bound"), ("*it = x", "v.push_back(x)")),
            "c": (("a[j] < a[i]", "a[j] <= a[i]"), ('"%d", best', '"%d", l[n - 1]')),
            "javascript": (("a[j] < a[i]", "a[j] <= a[i]"), ("Math.max(...l)", "l[0]")),
        },
    ),
    Task(
        "word counts",
        (("b a b c a b", "a 2\nb 3\nc 1\n"), ("x", "x 1\n")),
        {
            "cpp": """#include <iostream>
#include <map>
int main() { std::map<std::string, int> m; std::string w; while (std::cin >> w) m[w]++;
  for (auto &[k, v] : m) std::cout << k << ' ' << v << '\\n'; }""",
            "c": """#include <stdio.h>
int main(void) { int n[128] = {0}; char w[64]; while (scanf("%63s", w) == 1) n[w[0] & 127]++;
  for (int c = 0; c < 128; c++) if (n[c]) printf("%c %d\\n", c, n[c]); }""",
            "javascript": JS
            + "const m = {}; for (const w of t) m[w] = (m[w] || 0) + 1;\n"
            + "for (const k of Object.keys(m).sort()) console.log(k, m[k]);",
        },
        {
            "cpp": (("m[w]++", "m[w] = 1"), ("k << ' ' << v", "v << ' ' << k")),
            "c": (("]++", "] = 1"), ("if (n[c])", "if (n[c] > 1)")),
            "javascript": ((".sort()", ""), ("|| 0) + 1", "|| 1) + 1")),
        },
    ),
    Task(
        "binary",
        (("5", "101"), ("0", "0"), ("1024", "10000000000")),
        {
            "cpp": """#include <algorithm>
#include <iostream>
int main() { unsigned n; std::cin >> n; std::string s; do { s += char('0' + n % 2); n /= 2; } while (n);
  std::reverse(s.begin(), s.end()); std::cout << s << "\\n"; }""",
            "c": """#include <stdio.h>
void put(unsigned n) { if (n > 1) put(n / 2); putchar('0' + n % 2); }
int main(void) { unsigned n; scanf("%u", &n); put(n); return 0; }""",
            "javascript": JS + "console.log((+t[0]).toString(2));",
        },
        {
            "cpp": (("std::reverse(s.begin(), s.end());", ""), ("<< s <<", '<< "0b" << s <<')),
            "c": (("n > 1", "n > 2"), ("return 0", "return 1")),
            "javascript": (("toString(2)", "toString(8)"), ("console.log(", "console.log('0' + ")),
        },
    ),
    Task(
        "collatz",
        (("6", "8"), ("1", "0"), ("27", "111")),
        {
            "cpp": """#include <iostream>
int main() { long n; int k = 0; std::cin >> n; for (; n != 1; k++) n = n % 2 ? 3 * n + 1 : n / 2; std::cout << k; }""",
            "c": """#include <stdio.h>
int main(void) { long n; int k = 0; scanf("%ld", &n); for (; n != 1; k++) n = n % 2 ? 3 * n + 1 : n / 2; printf("%d", k); }""",
            "javascript": JS
            + "let n = +t[0], k = 0; for (; n !== 1; k++) n = n % 2 ? 3 * n + 1 : n / 2; console.log(k);",
        },
        {
            "cpp": (("k = 0", "k = 1"), ("<< k", "<< n")),
            "c": (("k = 0", "k = 1"), ("3 * n + 1", "n + 1")),
            "javascript": (("k = 0", "k = 1"), ("3 * n + 1", "n + 1")),
        },
    ),
    Task(
        "caesar",
        (("3 abc xyz", "def abc"), ("0 hello you", "hello you"), ("26 same end", "same end")),
        {
            "cpp": """#include <iostream>
int main() { int k; std::string a, b; std::cin >> k >> a >> b; a += " " + b;
  for (char &c : a) if (c != ' ') c = 'a' + (c - 'a' + k) % 26; std::cout << a << "\\n"; }""",
            "c": """#include <stdio.h>
int main(void) { int k, c; scanf("%d ", &k);
  while ((c = getchar()) != EOF) putchar(c >= 'a' && c <= 'z' ? 'a' + (c - 'a' + k) % 26 : c); }""",
            "javascript": JS
            + "console.log(t.slice(1).map(w => [...w].map(c => String.fromCharCode(97 + (c.charCodeAt(0) - 97 + +t[0]) % 26))"
            + ".join('')).join(' '));",
        },
        {
            "cpp": (("+ k) % 26", "- k) % 26"), ("if (c != ' ') ", "")),
            "c": (("+ k) % 26", "+ k) % 25"), ("+ k) % 26", "+ k)")),
            "javascript": ((") % 26", ")"), (".join(' ')", ".join('')")),
        },
    ),
)
