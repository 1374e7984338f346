"use strict";
// The rollout browser: filters and one group at a time. Whatever a model wrote becomes a text node, never markup.
(() => {
  const data = JSON.parse(document.getElementById("rollout-data").textContent);
  const at = (id) => document.getElementById(`rollout-${id}`);
  const made = (tag, text = "", name = "") => {
    const element = document.createElement(tag);
    element.textContent = text;
    if (name) element.className = name;
    return element;
  };
  const figure = (value, digits = 2) => (value === null ? "\u2013" : value.toFixed(digits));
  const signed = (value) => (value === null ? "\u2013" : `${value > 0 ? "+" : ""}${value.toFixed(2)}`.replace("-", "\u2212"));
  let shown = [];
  let place = 0;
  let marked = null;

  const stage = () => data[at("stage").selectedIndex];
  const options = (select, names) => {
    const kept = select.value;
    select.replaceChildren(...names.map(([value, text]) => Object.assign(made("option", text), { value })));
    if (names.some(([value]) => value === kept)) select.value = kept;
  };
  const bound = (id, none) => (at(id).value === "" ? none : Number(at(id).value));
  const within = (completion) =>
    completion.reward === null
      ? at("least").value === "" && at("most").value === ""
      : completion.reward >= bound("least", -Infinity) && completion.reward <= bound("most", Infinity);

  const kinds = {
    all: () => true,
    mixed: (right, all) => right > 0 && right < all,
    solved: (right, all) => right === all,
    unsolved: (right) => right === 0,
  };
  const fits = (group) => {
    const step = at("step").value;
    const wanted = at("problem").value.trim().toLowerCase();
    const right = group.completions.filter((completion) => completion.verdict === "CORRECT").length;
    return (
      (step === "" || group.step === Number(step)) &&
      (wanted === "" || group.problem.toLowerCase().includes(wanted) || group.prompt.toLowerCase().includes(wanted)) &&
      kinds[at("kind").value](right, group.completions.length) &&
      group.completions.some(within)
    );
  };

  const tokens = (completion, most) => {
    const text = made("pre", "", "tokens");
    const strength = most ? Math.min(1, Math.abs(completion.advantage ?? 0) / most) : 0;
    text.style.setProperty("--a", `${Math.round(8 + 47 * strength)}%`);
    text.classList.add(!completion.advantage ? "even" : completion.advantage > 0 ? "up" : "down");
    completion.text.forEach((token, index) => {
      const span = made("span", token);
      const logprob = completion.logprobs[index];
      if (logprob !== undefined && logprob !== null) {
        span.title = `advantage ${signed(completion.advantage)}, log-probability ${figure(logprob)}, probability ${Math.exp(logprob).toFixed(2)}`;
        if (logprob < -1) span.className = "rare";
      }
      text.append(span);
    });
    return text;
  };

  const card = (completion, most) => {
    const box = made("article", "", completion.verdict === "CORRECT" ? "completion right" : "completion");
    box.classList.toggle("aside", !within(completion));
    if (completion.sample === marked) box.classList.add("marked");
    const head = made("div", "", "mark");
    head.append(made("b", `#${completion.sample} ${completion.verdict.toLowerCase()}`));
    head.append(made("span", ` \u00b7 advantage ${signed(completion.advantage)} \u00b7 reward ${figure(completion.reward)}`));
    const parts = Object.entries(completion.rewards).map(([name, value]) => `${name} ${figure(value)}`);
    const more = [`${completion.tokens} tokens${completion.finished ? "" : ", cut off"}`];
    if (completion.language !== null) more.push(`language ${figure(completion.language)}`);
    if (completion.staleness) more.push(`${completion.staleness} updates old`);
    box.append(head, made("div", `${parts.join(" + ")} \u00b7 ${more.join(" \u00b7 ")}`, "mark parts"), tokens(completion, most));
    return box;
  };

  const show = () => {
    const group = shown[place];
    at("count").textContent = shown.length ? `group ${place + 1} of ${shown.length}` : "no group fits these filters";
    at("back").disabled = place <= 0;
    at("next").disabled = place >= shown.length - 1;
    at("sample").textContent = `${stage().held.toLocaleString("en")} of the stage\u2019s ${stage().whole.toLocaleString("en")} completions are on this page.`;
    at("group").replaceChildren();
    if (!group) return;
    const scored = group.completions.map((completion) => completion.reward).filter((reward) => reward !== null);
    const mean = scored.reduce((sum, reward) => sum + reward, 0) / scored.length;
    const most = Math.max(...group.completions.map((completion) => Math.abs(completion.advantage ?? 0)));
    const head = made("p", "", "problem");
    head.append(made("code", group.prompt));
    if (group.gold) head.append(made("span", " \u2014 answer ", "note"), made("code", group.gold));
    const right = group.completions.filter((completion) => completion.verdict === "CORRECT").length;
    const level = group.level === null ? "" : `, level ${group.level}`;
    const says = `Step ${group.step}, problem ${group.problem}${level}: ${right} of ${group.completions.length} correct, mean reward ${scored.length ? figure(mean) : "\u2013"}.`;
    const cards = made("div", "", "group");
    cards.append(...group.completions.map((completion) => card(completion, most)));
    at("group").append(head, made("p", says, "note"), cards);
  };

  const filter = (first = 0) => {
    shown = stage().groups.filter(fits);
    place = Math.max(0, Math.min(first, shown.length - 1));
    show();
  };
  const turn = (by) => {
    marked = null;
    place += by;
    show();
  };
  const restage = () => {
    const steps = [...new Set(stage().groups.map((group) => group.step))];
    options(at("step"), [["", "all"], ...steps.map((step) => [String(step), String(step)])]);
    marked = null;
    filter();
  };
  const follow = () => {
    const [head, name, step, problem, sample] = location.hash.slice(1).split("/").map(decodeURIComponent);
    const index = head === "rollout" ? data.findIndex((entry) => entry.stage === name) : -1;
    if (index < 0) return;
    at("stage").selectedIndex = index;
    for (const id of ["step", "problem", "least", "most"]) at(id).value = "";
    at("kind").value = "all";
    restage();
    const found = shown.findIndex((group) => group.step === Number(step) && group.problem === problem);
    marked = Number(sample);
    place = Math.max(0, found);
    show();
    (document.querySelector(".marked") ?? at("group")).scrollIntoView({ block: "center" });
  };

  options(at("stage"), data.map((entry) => [entry.stage, entry.name]));
  at("stage").addEventListener("change", restage);
  for (const id of ["step", "kind", "problem", "least", "most"]) at(id).addEventListener("input", () => filter());
  at("back").addEventListener("click", () => turn(-1));
  at("next").addEventListener("click", () => turn(1));
  window.addEventListener("hashchange", follow);
  at("browser").hidden = false;
  restage();
  follow();
})();
