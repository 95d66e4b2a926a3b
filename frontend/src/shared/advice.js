// What the free look at a question finds before it is sent: rules on this machine, no model, no request, no cost.
//
// A rule speaks only when it is nearly sure, because advice that is often wrong is switched off: numbers must carry their
// valid check digit, a telephone number its country or the word before it, a vague question must be one of a few.
// tests/chat/test_advice.py has the examples, in three languages; docs/decisions/0051-advice-before-spending.md the reasons.

// Returns [{ code, found }]: what the advice is about, and the passage it is about ("" for the question as a whole).
// `isFirst`: nothing was said or attached before, so "explain this" has nothing to point at.
export function advise(text, { isFirst = false } = {}) {
  const said = text.normalize("NFKC");
  const advice = [];
  for (const [code, find] of PERSONAL) for (const found of new Set(find(said))) advice.push({ code, found });
  if (isFirst && said.length <= LONGEST_VAGUE) {
    const words = bare(said);
    if (GREETINGS.has(words)) advice.push({ code: "greeting", found: "" });
    else if (POINTS.some((pattern) => pattern.test(words))) advice.push({ code: "pointing", found: "" });
  }
  if (said.length <= LONGEST_DOUBLE && asksTwice(said)) advice.push({ code: "double", found: "" });
  return advice;
}

// ---- personal data ------------------------------------------------------------------------------------------------------

const ALONE = "(?<![A-Za-z\\d_])"; // a Chinese character may stand right before a number, and after it
const ENDS = "(?![A-Za-z\\d_])";

const all = (text, pattern, keep = () => true) => [...text.matchAll(pattern)].filter(keep).map(([found]) => found.trim());

const HONG_KONG_ID = new RegExp(`${ALONE}([A-Z]{1,2})(\\d{6})(?:\\(([\\dA])\\)|([\\dA])${ENDS})`, "gu");
const SMALL_HONG_KONG_ID = new RegExp(`${ALONE}([a-z]{1,2})(\\d{6})\\(([\\da])\\)`, "gu"); // only with its brackets

// The weighted sum of prefix, six digits and check digit is a multiple of 11; a missing first letter counts 36, "A" 10.
function isHongKongId([, letters, digits, bracketed, open]) {
  const places = [...letters.toUpperCase().padStart(2, " ")].map((c) => (c === " " ? 36 : c.charCodeAt(0) - 55));
  const check = (bracketed ?? open).toUpperCase();
  const numbers = [...places, ...[...digits].map(Number), check === "A" ? 10 : Number(check)];
  return numbers.reduce((sum, number, place) => sum + number * (9 - place), 0) % 11 === 0;
}

const MAINLAND_ID = new RegExp(`${ALONE}\\d{6}((?:19|20)\\d\\d)(0[1-9]|1[0-2])(0[1-9]|[12]\\d|3[01])\\d{3}[\\dXx]${ENDS}`, "gu");
const MAINLAND_WEIGHTS = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]; // GB 11643

const isMainlandId = ([found]) =>
  "10X98765432"[MAINLAND_WEIGHTS.reduce((sum, weight, place) => sum + weight * Number(found[place]), 0) % 11] ===
  found[17].toUpperCase();

const CARD = new RegExp(`${ALONE}(?<!\\d[.,-])\\d(?:[ -]?\\d){12,18}${ENDS}(?!\\.\\d)`, "gu");
const CARD_STARTS = [ // of the large networks, with the lengths they give out
  [/^4/, [13, 16, 19]],
  [/^(?:5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)/, [16]],
  [/^3[47]/, [15]],
  [/^35(?:2[89]|[3-8])/, [16]],
  [/^62/, [16, 17, 18, 19]],
  [/^6(?:011|4[4-9]|5)/, [16]],
];

function isCard([found]) {
  const digits = found.replace(/\D/g, "");
  if (/^(\d)\1*$/.test(digits)) return false;
  return CARD_STARTS.some(([start, lengths]) => start.test(digits) && lengths.includes(digits.length)) && isLuhn(digits);
}

function isLuhn(digits) {
  let sum = 0;
  [...digits].reverse().forEach((digit, place) => {
    const double = Number(digit) * (place % 2 ? 2 : 1);
    sum += double > 9 ? double - 9 : double;
  });
  return sum % 10 === 0;
}

const WITH_COUNTRY = /(?<![A-Za-z\d_)]|[\d)]\s)(?:\+|00)(?:852|853|86|886|65|81|82|44|1|61)[ -]?\(?\d(?:[ -]?\(?\d\)?){6,10}(?!\d)/gu;
const WITH_WORD =
  /(?:\b(?:tel|phone|mobile|whatsapp|call (?:me|him|her|them))\b|電話|电话|手機|手机|致電|致电)[^\d\n]{0,14}?(?:\(?852\)?[ -]?)?[2-9]\d{3}[ -]?\d{4}(?!\d)/giu;
const MAINLAND_MOBILE = /(?<![A-Za-z\d_.,-])1[3-9]\d(?:[ -]?\d{4}){2}(?![A-Za-z\d_-]|\.\d)/gu;

const MAIL = /(?<![A-Z0-9._%+-])[A-Z0-9][A-Z0-9._%+-]{0,63}@(?:[A-Z0-9-]+\.)+[A-Z]{2,}(?![A-Z0-9-])/giu;
const NOBODYS_MAIL = /^(?:git|no-?reply|postmaster|webmaster)@|@(?:[\w-]+\.)*example(?:\.\w+)*$|\.(?:example|invalid|test|local)$/i;

const PERSONAL = [
  ["hkid", (text) => [...all(text, HONG_KONG_ID, isHongKongId), ...all(text, SMALL_HONG_KONG_ID, isHongKongId)]],
  ["mainland-id", (text) => all(text, MAINLAND_ID, isMainlandId)],
  ["card", (text) => all(text, CARD, isCard)],
  ["phone", (text) => [...all(text, WITH_COUNTRY), ...all(text, WITH_WORD), ...all(text, MAINLAND_MOBILE)]],
  ["e-mail", (text) => all(text, MAIL, ([found]) => !NOBODYS_MAIL.test(found))],
];

// ---- a question that will cost two ------------------------------------------------------------------------------------

const LONGEST_VAGUE = 60; // characters
const LONGEST_DOUBLE = 1_500;

const bare = (text) => text.toLowerCase().replace(/[\p{P}\p{S}\s]+/gu, " ").trim();

const GREETINGS = new Set(
  `hi|hello|hey|hi there|hello there|good morning|good afternoon|good evening|test|testing|help|help me|please help
  |please help me|can you help me|can you help me please|could you help me|i need help|i have a question|i have questions
  |can i ask you something|can i ask a question|are you there|who are you|thanks|thank you|ok
  |你好|您好|哈囉|哈啰|嗨|早安|早晨|午安|晚安|測試|测试|幫我|帮我|救命|幫幫我|帮帮我|請幫我|请帮我|可以幫我嗎|可以帮我吗|你可以幫我嗎|你可以帮我吗
  |我有一個問題|我有一个问题|我有問題|我有问题|我想問問題|我想问问题|可以問你問題嗎|可以问你问题吗|你在嗎|你在吗|在嗎|在吗|你是誰|你是谁|謝謝|谢谢|多謝`
    .split("|").map((words) => words.trim()),
);

// The whole of the text asks for something to be done to what is not there.
const POINTS = [
  /^(?:please |can you |could you |help me (?:to )?)*(?:explain|summari[sz]e|translate|fix|check|correct|improve|rewrite|proofread|solve|answer|finish|continue)(?: (?:me|on))? (?:this|it|that|these|the following)(?: (?:text|code|essay|passage|paragraph|article|question|questions|problem|homework|sentence|draft|program|function|paper))?(?: (?:for me|to me|in english|in chinese|please|better))*$/,
  /^(?:請|请|麻煩|麻烦|可以|能|你|幫我|帮我|幫忙|帮忙|替我|給我|给我| )*(?:解釋|解释|翻譯|翻译|總結|总结|改寫|改写|修改|檢查|检查|潤飾|润色|回答|解答|完成|改善|修正)(?:一下)?(?:這|这|那|此|以下|下面|上面)(?:個|个|段|篇|些|份|的|題|题|句| )*(?:文字|內容|内容|文章|程式|程式碼|代码|程序|論文|论文|作文|功課|作业|題目|题目|問題|问题|段落|句子|話|话)?(?:嗎|吗|吧|好嗎|好吗|謝謝|谢谢| )*$/,
];

// Two questions, and the second begins with a word that says it is another one.
const QUESTION = /[^.!?。！？\n]+\?/gu; // NFKC has made every question mark this one
const ANOTHER =
  /^\s*(?:(?:and )?also\b|another (?:question|thing)|(?:my )?(?:second|next) question|by the way\b|btw\b|(?:and )?on another (?:topic|note)|unrelated\b|另外|還有|还有|此外|順便|顺便|第二個問題|第二个问题|另一個問題|另一个问题|再問|再问)/iu;
const SAYS_SOMETHING = /(?:[\p{L}\p{N}'’]+[ ,]+){3,}[\p{L}\p{N}]|\p{Script=Han}{5,}/u;

function asksTwice(text) {
  const questions = text.match(QUESTION) ?? [];
  if (questions.length < 2 || !SAYS_SOMETHING.test(questions[0])) return false;
  return questions.slice(1).some((question) => ANOTHER.test(question) && SAYS_SOMETHING.test(question));
}
